"""Mathematics: by a fast path that never changes a verdict, a memo, or Math-Verify in bounded worker processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orz_bench.extraction.answers import last_box
from orz_bench.extraction.rules import EXTRACTORS, MATH_VERIFY, second_extractor
from orz_bench.grading.jobs import Job, Mode, Reply
from orz_bench.grading.judges.judge import Pair, Settings, Submission, require_reads
from orz_bench.grading.judges.pooled import PooledJudge
from orz_bench.grading.math.caps import why_refused
from orz_bench.grading.math.fast_path import compared, plain_number, same_text
from orz_bench.grading.surface.text_key import text_key
from orz_bench.records.rollout import Problem

LIBRARIES = ("math-verify", "latex2sympy2-extended", "antlr4-python3-runtime", "sympy")


class MathJudge:
    """Judges mathematical answers."""

    def __init__(self, settings: Settings) -> None:
        self.extractors = (settings.extractor, settings.second or second_extractor(settings.extractor))
        self._strict = settings.strict
        self._workers = PooledJudge("mathematics", settings)

    def extract(self, submission: Submission, extractor: str) -> str | None:
        """The answer by a rule for answers of any form. ConfigError for a rule that reads letters or programs only."""
        require_reads(extractor, "math")
        return EXTRACTORS[extractor](submission.response)

    def judge(self, pairs: Sequence[Pair], *, extractor: str = "") -> Mapping[Pair, Reply]:
        """Whether each answer equals its gold; under `math-verify`, whether the library finds one in it that does."""
        jobs = {pair: self._job(*pair, mode="response" if extractor == MATH_VERIFY else "answer") for pair in pairs}
        replies = self._replies(list(jobs.values()))
        return {pair: replies[job] for pair, job in jobs.items()}

    def without_answer(self, gold: str) -> Reply:
        """The same for every gold."""
        del gold
        return Reply("no_answer", "no answer found")

    def equal(self, gold: str, prediction: str) -> Reply:
        """Whether two free texts agree, each with its answer anywhere in it, as Math-Verify takes them."""
        job = self._job(gold, prediction, mode="free")
        return self._replies([job])[job]

    def gold_faults(self, problems: Sequence[Problem]) -> list[str | None]:
        """A gold must equal itself when it is put in a box."""
        jobs = {gold: self._job(gold, gold, mode="gold") for gold in sorted({problem.gold for problem in problems})}
        replies = self._replies(list(jobs.values()))
        return [_gold_fault(problem.gold, replies[jobs[problem.gold]]) for problem in problems]

    def close(self) -> None:
        """End the workers."""
        self._workers.close()

    def _job(self, gold: str, answer: str, *, mode: Mode = "answer") -> Job:
        return Job(gold, answer, self._strict, mode)

    def _replies(self, jobs: Sequence[Job]) -> Mapping[Job, Reply]:
        quick = {job: reply for job in dict.fromkeys(jobs) if (reply := _reply_without_workers(job)) is not None}
        return quick | self._workers.replies([job for job in jobs if job not in quick])


def _reply_without_workers(job: Job) -> Reply | None:
    if job.mode == "gold":
        return Reply("correct", "a plain number") if plain_number(job.gold) is not None else None
    if reply := same_text(job.gold, job.answer):
        return reply
    if job.mode != "answer":
        return None
    if why := why_refused(job.answer):
        return Reply("unparseable", why)
    return compared(job.gold, job.answer) if job.strict else None


def _gold_fault(gold: str, reply: Reply) -> str | None:
    boxed = last_box(f"\\boxed{{{gold}}}")
    if boxed is None or text_key(boxed) != text_key(gold):
        return "empty" if not gold.strip() else "its braces are not balanced, so a box cannot hold it"
    return None if reply.verdict in ("correct", "unparseable") else reply.why
