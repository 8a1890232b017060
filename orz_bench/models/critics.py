"""Which critic is meant: the folder of one, or the digest under which its values are stored."""

from __future__ import annotations

import re
from pathlib import Path

from orz_bench.errors import ConfigError
from orz_bench.models.digest import checkpoint_digest

_DIGEST = re.compile(r"w[a-z2-7]{3,15}")


def critic_digest(critic: str) -> str:
    """The digest of a folder's critic; a digest, or the start of one, as it is. ConfigError for anything else."""
    folder = Path(critic)
    if folder.is_dir():
        return checkpoint_digest(folder)
    if _DIGEST.fullmatch(critic):
        return critic
    raise ConfigError(
        f"--critic {critic}: neither a folder nor the digest of a critic (w and letters); give the critic/ folder of a "
        f"checkpoint, or a name under values/ beside the rollouts."
    )
