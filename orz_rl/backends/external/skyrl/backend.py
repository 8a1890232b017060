"""SkyRL behind the protocol of backends."""

from __future__ import annotations

from orz_rl.backends.external.backend import ExternalBackend
from orz_rl.backends.external.skyrl.settings import TABLE
from orz_rl.backends.external.skyrl.trainer import TRAINER

BACKEND = ExternalBackend(
    trainer=TRAINER,
    table=TABLE,
    summary="PPO and its variants on FSDP, Ray and vLLM, by SkyRL 0.4 in an environment of its own (Python 3.12)",
    not_run="nobody has trained with it: its configuration was built by SkyRL 0.4.0, the rest with a stand-in",
)
