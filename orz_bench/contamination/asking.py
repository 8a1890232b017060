"""The requests about one batch of questions: their beginnings to complete, and answers without the whole question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from orz_bench.asking.templates import TEMPLATES
from orz_bench.asking.thoughts import THOUGHTS
from orz_bench.contamination.similarity import similarity, words
from orz_bench.engines.asked_model import AskedModel, require_room
from orz_bench.engines.engine import Sampling
from orz_bench.errors import ConfigError, nearest
from orz_bench.grading.grader import Grader, Submission
from orz_bench.probing.thought_steps import cut_at
from orz_bench.records.rollout import Problem, Request

RULES = 1
"""Increased whenever the same settings would lead to other requests or other figures."""
LEAST_HIDDEN = 2
"""Words of a question that must be hidden."""
_MORE_TOKENS = 8
"""Beyond those of the hidden rest, as a model may divide it otherwise."""
_BOX = " \\boxed{"
_ANSWER = "\nThe answer is \\boxed{"
_STOPS = ("</answer>", "\n")
BARE = "none"
"""The template of a bare question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContaminationSettings:
    """How questions are cut and asked."""

    shares: tuple[float, ...] = (0.4, 0.6, 0.8)
    """Of a question's characters that the model gets; no word is cut."""
    template: str = BARE
    """What stands before a question that is to be completed: `none`, or the beginning of this template's prompt."""
    answer_template: str = "orz-code"
    answer_tokens: int = 24
    extractor: str = "final"

    def __post_init__(self) -> None:
        known = (BARE, *TEMPLATES)
        for name in (self.template, self.answer_template):
            if name not in known:
                raise ConfigError(f"template {name!r} is unknown{nearest(name, known)}; there are {', '.join(known)}.")
        if self.answer_template == BARE:
            raise ConfigError("answers need a template that asks for them; choose one of " + ", ".join(TEMPLATES) + ".")

    def card(self) -> dict[str, Any]:
        """What can move a figure."""
        return asdict(self) | {"rules": RULES}


@dataclass(slots=True)
class Asker:
    """Asks one model about questions; everything is greedy."""

    model: AskedModel
    settings: ContaminationSettings
    grader: Grader

    def completions(self, problems: Sequence[Problem]) -> list[list[dict[str, Any]]]:
        """For each question and each share: the completion, and how it agrees with what was hidden."""
        asked = [
            (number, share, beginning)
            for number, problem in enumerate(problems)
            for share in self.settings.shares
            for beginning in [cut_at(problem.question, share).rstrip()]
            if beginning and len(words(problem.question[len(beginning) :])) >= LEAST_HIDDEN
        ]
        texts = self._completed(
            [(problems[number], self._before(problems[number], beginning)) for number, _, beginning in asked],
            rooms=[
                len(self.model.tokenizer.encode(problems[number].question[len(beginning) :])) + _MORE_TOKENS
                for number, _, beginning in asked
            ],
        )
        found: list[list[dict[str, Any]]] = [[] for _ in problems]
        for (number, share, beginning), text in zip(asked, texts, strict=True):
            agreed = similarity(text, problems[number].question[len(beginning) :])
            found[number].append({"share": share, "text": text, "exact": agreed.is_exact, "rouge_l": agreed.rouge_l})
        return found

    def answers(self, problems: Sequence[Problem], *, others: Mapping[str, str]) -> list[list[dict[str, Any]]]:
        """For each question, without it (share 0) and with each beginning: whether the answer given at once is right.

        `others`: problem id -> the gold of another question, which shows what chance gives.
        """
        shares = (0.0, *self.settings.shares)
        asked = [(problem, share) for problem in problems for share in shares]
        prompts = [(problem, self._question(problem, share)) for problem, share in asked]
        texts = self._completed(prompts, rooms=[self.settings.answer_tokens] * len(asked), stop=_STOPS)
        given = [f"{self._force}{text}" for text in texts]
        right = self._are_right(
            [(problem, problem.gold, text) for (problem, _), text in zip(asked, given, strict=True)]
        )
        chance = self._are_right(
            [(one, others.get(one.problem_id), text) for (one, _), text in zip(asked, given, strict=True)]
        )
        rows = iter(
            {"share": share, "right": is_right, "chance": by_chance}
            for (_, share), is_right, by_chance in zip(asked, right, chance, strict=True)
        )
        return [[next(rows) for _ in shares] for _ in problems]

    @property
    def _force(self) -> str:
        thought = THOUGHTS.get(self.settings.answer_template)
        return _ANSWER if thought is None else thought.close.rstrip(" ") + _BOX

    def _before(self, problem: Problem, beginning: str) -> str:
        """The prompt of a completion."""
        opening = str(getattr(self.model.tokenizer, "opening", ""))
        if self.settings.template == BARE:
            return opening + beginning
        whole = self._rendered(self.settings.template, problem)
        at = whole.find(problem.question)
        if at < 0:
            raise ConfigError(
                f"{problem.problem_id}: the template {self.settings.template} does not show the question as it is; use "
                f"--template {BARE}."
            )
        return whole[:at] + beginning

    def _question(self, problem: Problem, share: float) -> str:
        """The prompt of an answer."""
        beginning = cut_at(problem.question, share).rstrip()
        return self._rendered(self.settings.answer_template, replace(problem, question=beginning)) + self._force

    def _rendered(self, template: str, problem: Problem) -> str:
        tokenizer: Any = self.model.tokenizer
        return TEMPLATES[template](problem, tokenizer)

    def _are_right(self, given: Sequence[tuple[Problem, str | None, str]]) -> list[bool | None]:
        known = [(problem, gold, text) for problem, gold, text in given if gold is not None]
        grades = iter(
            self.grader.grade(
                [
                    Submission(gold=gold, kind=problem.kind, num_choices=problem.num_choices, response=text)
                    for problem, gold, text in known
                ]
            )
        )
        return [next(grades).is_correct if gold is not None else None for _, gold, _ in given]

    def _completed(
        self, prompts: Sequence[tuple[Problem, str]], *, rooms: Sequence[int], stop: tuple[str, ...] = ()
    ) -> list[str]:
        requests = []
        for number, ((problem, prompt), room) in enumerate(zip(prompts, rooms, strict=True)):
            ids = self.model.tokenizer.encode(prompt)
            require_room(self.model, [len(ids) + room], what=f"{problem.problem_id}")
            requests.append(
                Request(
                    problem=problem,
                    sample_index=number,
                    seed=number,
                    prompt=prompt,
                    prompt_token_ids=ids,
                    max_tokens=room,
                )
            )
        sampling = Sampling(temperature=0.0, max_tokens=max(rooms, default=1), stop=stop)
        found = {
            one.sample_index: one.text
            for block in self.model.open_engine().generate(requests, sampling)
            for one in block
        }
        return [found[number] for number in range(len(requests))]
