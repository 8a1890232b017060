"""All conformance checks in full, as a table by kind: `make conformance`. Exit 1 where one falls short."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from orz_bench.grading.grader import Grader
from tests.conformance import checks
from tests.conformance.checks import Row

SHARE_OF_CASES = 0.97
LISTED = 200


def main() -> int:
    """Run everything that the data at hand allow."""
    folder = Path(os.environ.get("ORZ_DATA") or Path(__file__).parents[2].parent / "shared" / "data")
    is_good = _report("answers made up by us", checks.corpus_rows(), extractor="whole")
    golds = {"made up": checks.made_up_golds()}
    if (folder / "eval").is_dir():
        golds |= checks.real_golds(folder)
        is_good &= _report("labelled cases", checks.case_rows(folder), extractor="final", share=SHARE_OF_CASES)
    else:
        print(f"no real data: neither $ORZ_DATA nor {folder} holds an eval folder; golds made up by us only")
    for source, found in golds.items():
        rows = checks.dress_rows(found, source=source) + checks.hedge_rows(found, source=source)
        is_good &= _report(f"golds: {source}", rows, extractor="whole", share=0.999)
    every_gold = sorted({gold for found in golds.values() for gold in found})
    with Grader(extractor="whole") as grader:
        doubles = checks.constants_of_two_golds(every_gold, grader)
    print(f"\nconstant answers that are right for two golds that differ: {len(doubles)} ({len(every_gold)} golds)")
    for answer, found in doubles.items():
        print(f"  {answer!r}: {found}")
    return 0 if is_good else 1


def _report(title: str, rows: Sequence[Row], *, extractor: str, share: float = 1.0) -> bool:
    """Print the table of one check; whether enough rows with a certain label are as labelled."""
    with Grader(extractor=extractor) as grader:
        failed = checks.failures(rows, grader)
    totals = Counter(row.kind for row in rows if row.is_certain)
    wrong = {
        name: Counter(row.kind for row, grade in failed if row.is_certain and grade.is_correct == is_right)
        for name, is_right in (("wrongly right", True), ("wrongly refused", False))
    }
    arguable = Counter(row.kind for row, _ in failed if not row.is_certain)
    print(f"\n{title:32} certain  wrongly right  wrongly refused  arguable and otherwise")
    for kind in sorted({row.kind for row in rows}):
        counts = (totals[kind], wrong["wrongly right"][kind], wrong["wrongly refused"][kind], arguable[kind])
        print("{:32} {:7} {:14} {:16} {:23}".format(kind, *counts))
    num_failed = sum(counter.total() for counter in wrong.values())
    print(f"{'as labelled':32} {1 - num_failed / max(1, totals.total()):7.2%}")
    for row, grade in failed[:LISTED]:
        if row.is_certain:
            print(f"  {row.row_id}: gold {row.gold!r}, answer {row.answer[:80]!r}: {grade.verdict}, {grade.why}"[:240])
    return num_failed <= (1 - share) * totals.total()


if __name__ == "__main__":
    sys.exit(main())
