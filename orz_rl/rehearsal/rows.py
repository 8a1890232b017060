"""A row of the doctor's table, and how a check becomes one: a failure is a row with a remedy, never an exception."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from orz_bench.errors import OrzError

Device = Literal["cpu", "cuda"]
Verdict = Literal["passed", "failed", "not possible here"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was tried, and what came of it."""

    name: str
    verdict: Verdict
    found: str
    """Facts and figures; for what is not possible, why."""
    remedy: str = ""
    """For what failed: what to set instead."""
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class ImpossibleError(Exception):
    """This machine cannot try it; the text says why."""


class MismatchError(Exception):
    """Something ran, but not as it should; the text says what was found and what was wanted."""


@dataclass(frozen=True, slots=True)
class Check:
    """A row before it is tried."""

    name: str
    run: Callable[[], str]
    """Returns what was found. Raises ImpossibleError, MismatchError, or whatever a library raises."""
    remedy: str

    def row(self) -> Row:
        """Try it."""
        start = time.monotonic()
        verdict: Verdict = "failed"
        try:
            verdict, found = "passed", self.run()
        except ImpossibleError as error:
            verdict, found = "not possible here", str(error)
        except (MismatchError, OrzError) as error:
            verdict, found = "failed", str(error)
        except Exception as error:  # whatever a library raises is what this machine cannot do
            reason = next(iter(str(error).strip().splitlines()), "")
            verdict, found = "failed", f"{type(error).__name__}: {reason}"
        return Row(
            name=self.name,
            verdict=verdict,
            found=found,
            remedy=self.remedy if verdict == "failed" else "",
            seconds=time.monotonic() - start,
        )


def append_row(file: Path, row: Row) -> None:
    """Add a row to a file of JSON lines."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(row.to_json(), ensure_ascii=False) + "\n")


def read_rows(file: Path) -> list[Row]:
    """The rows of a file; none if it does not exist."""
    if not file.exists():
        return []
    return [Row(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
