"""How many conformance checks there are, and how many verdicts are as labelled: `python benchmarks/conformance.py`

The checks of `make conformance` as counts. It lists the cases; this keeps their numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from _record import data_folder, keep

from orz_bench.grading.grader import Grader
from tests.conformance import checks
from tests.conformance.checks import Row
from tests.conformance.constant_answers import constant_answers


def counted(rows: Sequence[Row], *, extractor: str) -> dict[str, int]:
    """The rows, and those on which the grader says otherwise."""
    with Grader(extractor=extractor) as grader:
        failed = checks.failures(rows, grader)
    return {"rows": len(rows), "otherwise": len(failed)}


def main() -> None:
    folder = data_folder()
    golds = checks.real_golds(folder)
    dressed = [row for name, found in golds.items() for row in checks.dress_rows(found, source=name)]
    hedged = [row for name, found in golds.items() for row in checks.hedge_rows(found, source=name)]
    kinds = Counter(row.kind.rpartition(": ")[2] for row in dressed)
    cases = [row for row in checks.case_rows(folder) if row.is_certain and row.benchmark == "math500"]
    every_gold = sorted({gold for found in [*golds.values(), checks.made_up_golds()] for gold in found})
    with Grader(extractor="whole") as grader:
        doubles = checks.constants_of_two_golds(every_gold, grader)
    num_constants = len(constant_answers())
    keep(
        "conformance",
        {
            "labelled cases of mathematics": counted(cases, extractor="final"),
            "made-up answers": counted(checks.corpus_rows(), extractor="whole"),
            "golds in other typesettings": {
                **counted(dressed, extractor="whole"), "typeset": kinds["dressed"], "changed": kinds["changed"],
            },
            "golds in hedges": counted(hedged, extractor="whole"),
            "constant answers": {
                "constants": num_constants, "golds": len(every_gold), "pairs": num_constants * len(every_gold),
                "right for two golds": len(doubles),
            },
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
