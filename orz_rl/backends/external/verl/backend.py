"""verl behind the protocol of backends."""

from __future__ import annotations

from orz_rl.backends.external.backend import ExternalBackend
from orz_rl.backends.external.verl.settings import TABLE
from orz_rl.backends.external.verl.trainer import TRAINER

BACKEND = ExternalBackend(
    trainer=TRAINER,
    table=TABLE,
    summary="PPO and its variants on FSDP and vLLM, by verl 0.9 in an environment of its own",
    not_run="nobody has trained with it: its configuration was checked by verl 0.9.1, the rest with a stand-in",
)
