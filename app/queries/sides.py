"""The samples of a question at a checkpoint of a run, as one value in an address: `RUN@STEP~PROTOCOL`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Side:
    """One side of a comparison."""

    run: str
    """The run's name in the folder."""
    step: int
    fingerprint: str
    """Of the protocol; empty for a step of training."""
    sample: int | None = None
    """The sample that is shown; None leaves the choice to the page."""

    @property
    def at(self) -> Side:
        """The same without a sample."""
        return Side(self.run, self.step, self.fingerprint)


def side_text(side: Side) -> str:
    """`RUN@STEP~PROTOCOL`, the name of an evaluation on the page Benchmarks, then `~SAMPLE` where one is chosen."""
    sample = "" if side.sample is None else f"~{side.sample}"
    return f"{side.run}@{side.step}~{side.fingerprint}{sample}"


def side_of(text: str) -> Side | None:
    """The inverse of side_text; None for any other text. Names of runs may hold `@` and `~`."""
    run, _, rest = text.rpartition("@")
    step, *others = rest.split("~")
    sample = _whole(others[1]) if len(others) == 2 else None
    if not run or _whole(step) is None or len(others) not in (1, 2) or (len(others) == 2 and sample is None):
        return None
    return Side(run, int(step), others[0], sample)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else None
