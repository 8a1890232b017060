"""A check becomes a row, whatever happens in it; a group whose process dies leaves rows and a reason."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import EngineError
from orz_rl.rehearsal.rows import Check, ImpossibleError, MismatchError, Row, append_row, read_rows


def raises(error: BaseException) -> Any:
    def check() -> str:
        raise error

    return check


@pytest.mark.parametrize(
    ("run", "verdict", "found"),
    [
        (lambda: "8 of 8", "passed", "8 of 8"),
        (raises(ImpossibleError("one GPU")), "not possible here", "one GPU"),
        (raises(MismatchError("0.3 apart")), "failed", "0.3 apart"),
        (raises(EngineError("no engine")), "failed", "no engine"),
        (raises(RuntimeError("CUDA error: out of memory\nmore")), "failed", "RuntimeError: CUDA error: out of memory"),
        (raises(AssertionError()), "failed", "AssertionError: "),
    ],
)
def test_outcomes(run: Any, verdict: str, found: str, tmp_path: Path) -> None:
    row = Check("a row", run, "another setting").row()
    assert (row.verdict, row.found) == (verdict, found)
    assert row.remedy == ("another setting" if verdict == "failed" else "")
    append_row(tmp_path / "rows", row)
    append_row(tmp_path / "rows", row)
    assert read_rows(tmp_path / "rows") == [row, row]
    assert isinstance(row, Row)


def test_a_stop_by_the_user_is_no_row() -> None:
    with pytest.raises(KeyboardInterrupt):
        Check("a row", raises(KeyboardInterrupt()), "").row()


def test_a_process_that_dies_is_a_row(tmp_path: Path) -> None:
    from orz_rl.rehearsal import doctor

    append_row(tmp_path / "machine.jsonl", Row(name="first", verdict="passed", found=""))
    first, last = doctor._rows_of("machine", "cpu", folder=tmp_path, python="/bin/false")
    assert (first.name, last.verdict, "ended with code 1" in last.found) == ("first", "failed", True)
    killer = tmp_path / "killer"
    killer.write_text("#!/bin/sh\necho last words\nkill -SEGV $$\n", encoding="utf-8")
    killer.chmod(0o755)
    *_, last = doctor._rows_of("machine", "cpu", folder=tmp_path, python=str(killer))
    assert f"code {-signal.SIGSEGV}: last words" in last.found
