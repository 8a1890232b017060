"""The letter of an option: extracted from the response and compared here, without a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orz_bench.errors import counted
from orz_bench.extraction.letters import extract_letter, letter_of
from orz_bench.extraction.rules import second_extractor
from orz_bench.grading.jobs import Reply
from orz_bench.grading.judges.judge import Pair, Settings, Submission, require_reads
from orz_bench.records.rollout import Problem


class LetterJudge:
    """Judges answers to multiple-choice questions."""

    def __init__(self, settings: Settings) -> None:
        self.extractors = (settings.extractor, settings.second or second_extractor(settings.extractor))

    def extract(self, submission: Submission, extractor: str) -> str | None:
        """The letter that the response chooses. ConfigError for a rule that reads mathematics or programs only."""
        require_reads(extractor, "choice")
        return extract_letter(submission.response, extractor, num_choices=submission.num_choices)

    def judge(self, pairs: Sequence[Pair], *, extractor: str = "") -> Mapping[Pair, Reply]:
        """Whether the letters are equal."""
        right, wrong = Reply("correct", "same letter"), Reply("wrong", "different letter")
        return {(gold, letter): right if gold == letter else wrong for gold, letter in pairs}

    def without_answer(self, gold: str) -> Reply:
        """The same for every gold."""
        del gold
        return Reply("no_answer", "no letter of an option found")

    def gold_faults(self, problems: Sequence[Problem]) -> list[str | None]:
        """A gold must be one of the letters."""
        return [
            None
            if letter_of(problem.gold, problem.num_choices) == problem.gold
            else f"not one of the {counted(problem.num_choices, 'letter')}"
            for problem in problems
        ]

    def close(self) -> None:
        """No process to end."""
