"""A name that our entry point imports."""


def validate_cfg(cfg: object) -> None:
    """SkyRL's own checks are run by benchmarks/other_trainers.py."""
