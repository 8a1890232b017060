"""3,000 real MATH500 responses: the Grader against a plain Math-Verify loop, in alternating blocks of 1,000.

plain: verify(parse(gold), parse(response)), the gold bare or in dollar signs, one process (as Math-Verify is used).
ours: Grader, two processes. cold: each block is new. warm: each is graded a second time, so that the memo knows it.
Every verdict that differs from the plain loop's (gold in dollar signs) is listed.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import defaultdict

from _record import data_folder, keep
from math_verify import parse, verify

from orz_bench.grading.grader import Grader, Submission

BLOCK = 1000


def main() -> None:
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    path = data_folder() / "rollouts" / "orz_fork_eval_math500.jsonl"
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    seconds: dict[str, float] = defaultdict(float)
    differences, missed_matches = [], 0
    num_workers = min(2, len(os.sched_getaffinity(0)))
    parse("$1$"), verify(parse("$1$"), parse("$1$"))
    with Grader(extractor="final", num_workers=num_workers) as grader:
        start = time.monotonic()
        grader.equal("x+1", "1+x+0")
        seconds["start of the workers"] = time.monotonic() - start
        for first in range(0, len(rows), BLOCK):
            block = rows[first : first + BLOCK]
            start = time.monotonic()
            for row in block:
                verify(parse(str(row["expected"])), parse(row["raw_response"]))
            seconds["plain, bare gold"] += time.monotonic() - start
            start = time.monotonic()
            plain = [verify(parse(f"${row['expected']}$"), parse(row["raw_response"])) for row in block]
            seconds["plain, gold in $"] += time.monotonic() - start
            submissions = [_submission(row) for row in block]
            start = time.monotonic()
            grades = grader.grade(submissions)
            seconds["ours, cold"] += time.monotonic() - start
            start = time.monotonic()
            grader.grade(submissions)
            seconds["ours, warm"] += time.monotonic() - start
            missed_matches += sum(r["is_match"] and not g.is_correct for r, g in zip(block, grades, strict=True))
            differences += [
                {"id": r["id"], "plain": bool(p), "ours": g.verdict, "gold": r["expected"], "answer": g.extracted}
                for r, p, g in zip(block, plain, grades, strict=True)
                if bool(p) != g.is_correct
            ]
    speeds = {name: len(rows) / spent for name, spent in seconds.items() if name.startswith(("plain", "ours"))}
    fastest_plain = max(speeds["plain, bare gold"], speeds["plain, gold in $"])
    # The golds and answers of the data stay out of the kept record; they are printed for whoever runs this.
    for difference in differences:
        print(json.dumps(difference, ensure_ascii=False))
    keep(
        "grading_speed",
        {
            "num_answers": len(rows),
            "answers_per_second": {name: round(speed, 1) for name, speed in speeds.items()},
            "ratio_cold": round(speeds["ours, cold"] / fastest_plain, 2),
            "ratio_warm": round(speeds["ours, warm"] / fastest_plain, 2),
            "seconds_to_start_workers": round(seconds["start of the workers"], 2),
            "string_matches_not_graded_correct": missed_matches,
            "verdicts_that_differ": {
                "ours correct, plain not": sum(d["ours"] == "correct" for d in differences),
                "plain correct, ours not": sum(d["plain"] for d in differences),
            },
        },
    )


def _submission(row: dict[str, str]) -> Submission:
    return Submission(gold=str(row["expected"]), kind="math", num_choices=0, response=row["raw_response"])


if __name__ == "__main__":
    main()
