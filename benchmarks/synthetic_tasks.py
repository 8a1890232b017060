"""Does the grader agree with the scorer of each generator of reasoning-gym? Results: results/synthetic_tasks.json.

For 36 tasks of each generator the answers of other tasks, damaged golds and the expressions in the question are given
to both. A generator of whose answers the grader accepts one that the scorer does not give full marks, or the reverse,
needs the library's scorer as reward and is not offered as a source (orz_rl/curation/synthetic.py).
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from typing import Any

import reasoning_gym
from _record import keep
from reasoning_gym.factory import DATASETS

from orz_bench.grading.grader import Grader, Submission
from orz_bench.records.rollout import Problem
from orz_rl.curation.synthetic import GENERATORS

_SEEDS, _TASKS = (1, 2, 3), 12
_LIMIT_S = 60
_EXPRESSION = re.compile(r"[-(\d][-+*/^().\da-zA-Z]*(?: ?[-+*/^] ?[-(\da-zA-Z][-+*/^().\da-zA-Z]*)+")


def main() -> None:
    found = {}
    with Grader(extractor="boxed") as grader:
        for name in sorted(DATASETS):
            found[name] = studied(name, grader)
            print(name, found[name], file=sys.stderr, flush=True)
    offered = {name: found[name] for name in GENERATORS}
    wrong = [name for name, each in offered.items() if each.get("disagreements") or each.get("ungradable_golds")]
    keep(
        "synthetic_tasks",
        {
            "generators": len(found),
            "offered": len(GENERATORS),
            "offered_that_disagree": wrong,
            "disagree": sorted(name for name, each in found.items() if each.get("disagreements")),
            "by_generator": found,
        },
    )


def studied(name: str, grader: Grader) -> dict[str, Any]:
    """Agreement of the grader with one generator's scorer."""
    try:
        tasks = _tasks(name)
    except BaseException as error:
        return {"fails": f"{type(error).__name__}: {str(error)[:80]}"}
    golds = [str(entry["answer"]).strip() for _, entry in tasks]
    problems = [
        Problem(benchmark="", problem_id=str(n), question=entry["question"], gold=golds[n] or "-", kind="math")
        for n, (_, entry) in enumerate(tasks)
    ]
    faults = grader.check_golds(problems)
    submissions, truths = [], []
    for place, (dataset, entry) in enumerate(tasks):
        for answer in dict.fromkeys([*_answers(golds, place), *_copied(entry["question"])]):
            submissions.append(
                Submission(gold=golds[place], kind="math", num_choices=0, response=f"\\boxed{{{answer}}}")
            )
            truths.append((_score(dataset, answer, entry), answer))
    grades = grader.grade(submissions)
    wrong = [
        f"{answer[:40]!r} for {submission.gold[:40]!r}: {grade.verdict}"
        for (score, answer), submission, grade in zip(truths, submissions, grades, strict=True)
        if (score == 1.0) != grade.is_correct
    ]
    return {
        "ungradable_golds": len(faults),
        "answers": len(truths),
        "disagreements": len(wrong),
        "first": wrong[:2],
        "longest_gold": max(map(len, golds)),
    }


def _tasks(name: str) -> list[tuple[Any, dict[str, Any]]]:
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(_LIMIT_S)
    try:
        datasets = [reasoning_gym.create_dataset(name, size=_TASKS, seed=seed) for seed in _SEEDS]
        return [(dataset, dataset[n]) for dataset in datasets for n in range(_TASKS)]
    finally:
        signal.alarm(0)


def _too_long(*_: Any) -> None:
    raise TimeoutError(f"more than {_LIMIT_S} s")


def _answers(golds: list[str], place: int) -> Iterator[str]:
    gold = golds[place]
    yield gold
    yield from (golds[(place + step) % len(golds)] for step in (1, 7, 20))
    yield re.sub(r"\d", lambda match: str((int(match[0]) + 1) % 10), gold, count=1)
    parts = re.split(r"(\s+|,\s*)", gold)
    if len(parts) > 2:
        yield "".join([parts[2], parts[1], parts[0], *parts[3:]])
        yield "".join(parts[:-2])
    yield f"-{gold}"


def _copied(question: str) -> list[str]:
    """Expressions of the question, as the answer of a policy that copies."""
    return [text.strip(" .") for text in _EXPRESSION.findall(question) if re.search(r"[-+*/^]", text)][:5]


def _score(dataset: Any, answer: str, entry: dict[str, Any]) -> float:
    try:
        return float(dataset.score_answer(answer, entry))
    except Exception:
        return 0.0


if __name__ == "__main__":
    main()
