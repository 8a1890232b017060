"""Answers whose question is that of a benchmark: curation's stage, asked once for each problem."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from orz_rl.curation.answers.source import Answer
from orz_rl.curation.benchmark_questions import load_questions
from orz_rl.curation.rows import Row
from orz_rl.curation.settings import ALL, DecontaminateSettings
from orz_rl.curation.stages.decontaminate import Decontaminate


def overlaps(
    answers: Sequence[Answer], *, against: Sequence[str], folders: Sequence[Path]
) -> Mapping[tuple[str, str], str]:
    """The problems that overlap with a benchmark, each with the evidence as JSON; one answer of each problem is given.

    DataError that names every benchmark whose questions cannot be read.
    """
    names = ALL if ALL[0] in against else tuple(dict.fromkeys(against))
    if not names or not answers:
        return {}
    stage = Decontaminate(DecontaminateSettings(against=names), load_questions(names, folders))
    rows = [
        Row(
            number=number,
            id=answer.rollout.problem_id,
            source=answer.rollout.benchmark,
            place="",
            question=answer.rollout.question,
            answer=answer.rollout.gold,
        )
        for number, answer in enumerate(answers)
    ]
    with stage.open((), scratch=Path()) as decide:
        fates = decide(rows).fates
    return {
        answer.problem: json.dumps(dict(fate.evidence), ensure_ascii=False)
        for answer, fate in zip(answers, fates, strict=True)
        if not fate.is_kept
    }
