"""How far the grader agrees with the verdicts that came with real responses: `python benchmarks/agreement.py`

Responses with a plain string match, official verdicts of IFEval, letters of MMLU-Pro's official script, and labelled
cases of other checkers' test suites, beside Math-Verify with its defaults. Counts only: no text of the data is kept.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from _record import data_folder, keep
from math_verify import parse, verify

from orz_bench.benchmarks.loading.load import load_problems
from orz_bench.benchmarks.registry import get_benchmark
from orz_bench.extraction.answers import last_box
from orz_bench.extraction.letters import extract_letter, extract_mmlu_pro
from orz_bench.grading.grader import Grader, Submission

Counts = dict[str, int]
MATCHED: Mapping[str, tuple[str, int]] = {
    "math500": ("math", 0),
    "aime2024": ("math", 0),
    "gpqa_diamond": ("choice", 4),
}


def rows_of(*parts: str) -> list[dict[str, Any]]:
    text = Path(data_folder(), *parts).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.rstrip("\n").split("\n")]


def string_matches(name: str, grader: Grader) -> Counts:
    """Of responses with a plain string match, those that are correct, and correct ones beside them."""
    kind, num_choices = MATCHED[name]
    rows = rows_of("rollouts", f"orz_fork_eval_{name}.jsonl")
    grades = grader.grade(
        [
            Submission(gold=str(row["expected"]), kind=kind, num_choices=num_choices, response=row["raw_response"])  # type: ignore[arg-type]
            for row in rows
        ]
    )
    pairs = [(bool(row["is_match"]), grade.is_correct) for row, grade in zip(rows, grades, strict=True)]
    return {
        "responses": len(rows),
        "string matches": sum(is_match for is_match, _ in pairs),
        "of these correct": sum(is_match and is_correct for is_match, is_correct in pairs),
        "further correct": sum(is_correct and not is_match for is_match, is_correct in pairs),
        "timed out or failed": sum(grade.verdict in ("timeout", "error") for grade in grades),
    }


def boxes_in_thoughts() -> int:
    """Right boxes inside the thought that ORZ's template opens, which `boxed` does not count."""
    rows = rows_of("rollouts", "orz_fork_eval_math500.jsonl")
    boxes = [last_box(row["raw_response"]) or "" for row in rows]
    with Grader(extractor="boxed") as boxed, Grader(extractor="whole") as whole:
        counted = boxed.grade([_of_mathematics(str(row["expected"]), row["raw_response"]) for row in rows])
        found = whole.grade([_of_mathematics(str(row["expected"]), box) for row, box in zip(rows, boxes, strict=True)])
    return sum(one.is_correct and not other.is_correct for one, other in zip(found, counted, strict=True))


def published_outputs() -> dict[str, Counts]:
    """Qwen2.5-Math's own outputs: ours and the library's own reading, against the plain loop and the file's score."""
    names = ("qwen25math_math500_14b", "qwen25math_aime24_14b")
    rows = [row for name in names for row in rows_of("foreign", f"{name}.jsonl")]
    plain = [bool(verify(parse(f"${row['gt']}$"), parse(row["code"][0]))) for row in rows]
    found = {}
    for extractor in ("final", "math-verify"):
        with Grader(extractor=extractor) as grader:
            grades = grader.grade([_of_mathematics(row["gt"], row["code"][0]) for row in rows])
        found[extractor] = {
            "responses": len(rows),
            "correct": sum(grade.is_correct for grade in grades),
            "other than the plain loop": sum(one.is_correct != other for one, other in zip(grades, plain, strict=True)),
            "other than the file's score": sum(
                one.is_correct != row["score"][0] for one, row in zip(grades, rows, strict=True)
            ),
        }
    return found


def _of_mathematics(gold: str, response: str) -> Submission:
    return Submission(gold=gold, kind="math", num_choices=0, response=response)


def instructions() -> dict[str, Any]:
    """Verdicts of IFEval by instruction, strict and loose, against those of the official program."""
    problems = load_problems(get_benchmark("ifeval"), folders=[data_folder() / "eval"]).problems
    golds = {problem.question.strip(): problem.gold for problem in problems}
    rows = rows_of("conformance", "ifeval_official_verdicts.jsonl")
    same = [(row, golds[text]) for row in rows if (text := row["prompt"].strip()) in golds]
    with Grader(extractor="whole") as grader:
        grades = grader.grade(
            [
                Submission(gold=gold, kind="instruction", num_choices=0, response=row["response"] or "")
                for row, gold in same
            ]
        )
    differing: Counter[str] = Counter()
    total = 0
    for (row, _), grade in zip(same, grades, strict=True):
        for level in ("strict", "loose"):
            ours = [one[level] for one in grade.extra["instructions"]]
            total += len(ours)
            for name, found, wanted in zip(row["instruction_id_list"], ours, row[f"{level}_list"], strict=True):
                differing[name] += found != wanted
    return {
        "responses": len(same),
        "responses to an earlier wording": len(rows) - len(same),
        "verdicts": total,
        "equal": total - differing.total(),
        "share": round(1 - differing.total() / total, 4),
        "different": differing.total(),
        "different, by instruction": {name: count for name, count in differing.items() if count},
    }


def letters() -> Counts:
    """Letters of MMLU-Pro, ten options, against those of the official script, which guesses where it finds none."""
    rows = rows_of("rollouts", "mmlu_pro_outputs_llama3.1_8b_base.jsonl")
    found: Counter[str] = Counter(responses=len(rows))
    for row in rows:
        rules, official = extract_mmlu_pro(row["response"]), row["official_pred"]
        phrase, boxed = (extract_letter(row["response"], name, num_choices=10) for name in ("phrase", "boxed"))
        found["found by the official rules"] += rules is not None
        found["equal"] += rules is not None and rules == official
        found["guessed by the script"] += rules is None
        found["found by phrase"] += phrase is not None
        found["found by phrase, equal"] += phrase is not None and phrase == rules
        found["boxed, the same letter or both none"] += boxed == rules
        found["boxed none, official some"] += boxed is None and rules is not None
        found["boxed another letter"] += boxed is not None and boxed != rules
    return dict(found)


def cases(grader: Grader) -> Counts:
    """Labelled cases compared as free texts: those that each has as labelled."""
    rows = rows_of("conformance", "answer_equivalence.jsonl")
    ours = plain = 0
    for row in rows:
        gold, prediction = str(row["gold"]), str(row["prediction"])
        ours += (grader.equal(gold, prediction).verdict == "correct") == bool(row["expected"])
        plain += bool(verify(parse(gold), parse(prediction))) == bool(row["expected"])
    return {"cases": len(rows), "ours": ours, "Math-Verify": plain, "not ours": len(rows) - ours}


def main() -> None:
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    with Grader(extractor="final") as grader:
        matches = {name: string_matches(name, grader) for name in MATCHED}
        labelled = cases(grader)
    keep(
        "agreement",
        {
            "string matches": matches,
            "right boxes in thoughts, math500": boxes_in_thoughts(),
            "Qwen2.5-Math": published_outputs(),
            "ifeval": instructions(),
            "mmlu_pro": letters(),
            "labelled cases": labelled,
        },
    )


if __name__ == "__main__":
    main()
