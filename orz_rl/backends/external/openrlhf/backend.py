"""OpenRLHF behind the protocol of backends."""

from __future__ import annotations

from orz_rl.backends.external.backend import ExternalBackend
from orz_rl.backends.external.openrlhf.settings import TABLE
from orz_rl.backends.external.openrlhf.trainer import TRAINER

BACKEND = ExternalBackend(
    trainer=TRAINER,
    table=TABLE,
    summary="PPO and its variants on DeepSpeed, Ray and vLLM, by OpenRLHF 0.11 in an environment of its own",
    not_run="nobody has trained with it: its options were parsed by OpenRLHF 0.11.2, the rest with a stand-in",
)
