"""The requests of one batch of stored thoughts, and what the model's answers make of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from orz_bench.engines.asked_model import AskedModel, require_room
from orz_bench.engines.engine import LikelihoodRequest, Sampling
from orz_bench.grading.grader import Grader, Submission
from orz_bench.interventions.stored import NeedSettings, StoredThought
from orz_bench.probing.thought_steps import ThoughtStep, cut_at, steps_of, variants_of
from orz_bench.records.rollout import Request, Verdict
from orz_bench.seeds import stage_seed


@dataclass(frozen=True, slots=True)
class ForcedAnswer:
    """What the model answers behind a part of the thought."""

    share: float
    verdict: Verdict
    is_own: bool | None
    """Whether it is the response's own answer; None if that has none."""


@dataclass(slots=True)
class ProbedStep:
    """A step with the probabilities of the response's own answer behind its four variants."""

    at: int
    step: ThoughtStep
    now: tuple[float, ...] | None = None
    later: tuple[float, ...] | None = None


@dataclass(slots=True)
class Asker:
    """Asks one model about stored thoughts."""

    model: AskedModel
    settings: NeedSettings
    grader: Grader
    _ids: dict[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)

    def forced(self, thoughts: Sequence[StoredThought]) -> list[list[ForcedAnswer]]:
        """The model's answers behind every share of each thought, greedily."""
        asked = [
            (each, share, cut_at(each.thought, share).rstrip())
            for each in thoughts
            for share in self.settings.positions
        ]
        wanted = list(dict.fromkeys((each.key, beginning) for each, _, beginning in asked))
        by_key = {each.key: each for each in thoughts}
        texts = dict(
            zip(
                wanted,
                self._completed(
                    [(by_key[key], beginning + self.settings.force) for key, beginning in wanted],
                    room=self.settings.answer_tokens,
                ),
                strict=True,
            )
        )
        responses = [(each, texts[each.key, beginning]) for each, _, beginning in asked]
        verdicts = self._verdicts([(each, text, each.problem.gold) for each, text in responses])
        own = self._own(responses)
        answers = iter(
            ForcedAnswer(share, verdict, is_own)
            for (_, share, _), verdict, is_own in zip(asked, verdicts, own, strict=True)
        )
        return [[next(answers) for _ in self.settings.positions] for _ in thoughts]

    def steps(self, thoughts: Sequence[StoredThought]) -> list[list[ProbedStep]]:
        """The chosen steps of each thought whose response has an answer, with what was measured."""
        found = [self._chosen(each) if each.answer else [] for each in thoughts]
        flat = [(each, one) for each, chosen in zip(thoughts, found, strict=True) for one in chosen]
        variants = [
            (each, text)
            for each, one in flat
            for text in variants_of(steps_of(each.thought), one.at, seed=self._seed_of(each)).all
        ]
        for measured in self.settings.measured:
            values = self._now(variants) if measured == "now" else self._later(variants)
            for place, (_, one) in enumerate(flat):
                setattr(one, measured, tuple(values[4 * place : 4 * place + 4]))
        return found

    def _chosen(self, thought: StoredThought) -> list[ProbedStep]:
        steps = steps_of(thought.thought)
        places = list(range(len(steps)))
        if 0 < self.settings.max_steps < len(places):
            draw = random.Random(f"steps\x1f{self._seed_of(thought)}")
            places = sorted(draw.sample(places, self.settings.max_steps))
        return [ProbedStep(at, steps[at]) for at in places]

    def _seed_of(self, thought: StoredThought) -> str:
        return f"{self.settings.seed}\x1f{thought.problem.problem_id}\x1f{thought.sample_index}"

    def _now(self, variants: Sequence[tuple[StoredThought, str]]) -> list[float]:
        """Probability of the own answer right behind each text."""
        from math import exp

        encode = self.model.tokenizer.encode
        distinct = list(dict.fromkeys((each.key, text) for each, text in variants))
        by_key = {each.key: each for each, _ in variants}
        requests = [
            LikelihoodRequest(
                key=(key[0], number),
                context=self._prompt(by_key[key]) + encode(text.rstrip() + self.settings.force),
                continuations=(encode(f"{by_key[key].answer}{self.settings.closing}"),),
            )
            for number, (key, text) in enumerate(distinct)
        ]
        require_room(
            self.model, [len(one.context) + len(one.continuations[0]) + 1 for one in requests], what="a forced answer"
        )
        found = {
            one.key[1]: exp(one.logprobs[0])
            for block in self.model.likelihoods().loglikelihood(requests)
            for one in block
        }
        values = {wanted: found[number] for number, wanted in enumerate(distinct)}
        return [values[each.key, text] for each, text in variants]

    def _later(self, variants: Sequence[tuple[StoredThought, str]]) -> list[float]:
        """1 where the thought, going on greedily behind each text, ends with the own answer, else 0."""
        distinct = list(dict.fromkeys((each.key, text) for each, text in variants))
        by_key = {each.key: each for each, _ in variants}
        responses = [(by_key[key], text) for key, text in distinct]
        texts = self._completed(responses, room=self.settings.max_tokens)
        own = self._own([(each, text) for (each, _), text in zip(responses, texts, strict=True)])
        values = {wanted: float(bool(is_own)) for wanted, is_own in zip(distinct, own, strict=True)}
        return [values[each.key, text] for each, text in variants]

    def _completed(self, beginnings: Sequence[tuple[StoredThought, str]], *, room: int) -> list[str]:
        """Each beginning of a response with what the model adds to it."""
        sampling = Sampling(temperature=0.0, max_tokens=room, stop=self.settings.stop)
        requests = []
        for number, (each, beginning) in enumerate(beginnings):
            ids = self._prompt(each) + self.model.tokenizer.encode(beginning)
            require_room(self.model, [len(ids) + 1], what=f"a response to {each.problem.problem_id}")
            left = room if self.model.context is None else min(room, self.model.context - len(ids))
            requests.append(
                Request(
                    problem=each.problem,
                    sample_index=number,
                    seed=stage_seed(self.settings.seed, stage=number),
                    prompt=each.prompt + beginning,
                    prompt_token_ids=ids,
                    max_tokens=left,
                )
            )
        found = {
            one.sample_index: one.text
            for block in self.model.open_engine().generate(requests, sampling)
            for one in block
        }
        return [beginning + found[number] for number, (_, beginning) in enumerate(beginnings)]

    def _prompt(self, thought: StoredThought) -> tuple[int, ...]:
        if thought.key not in self._ids:
            ids = thought.prompt_token_ids
            self._ids[thought.key] = self.model.tokenizer.encode(thought.prompt) if ids is None else tuple(ids)
        return self._ids[thought.key]

    def _own(self, responses: Sequence[tuple[StoredThought, str]]) -> list[bool | None]:
        """Whether each response has the stored response's own answer; None where that has none."""
        known = [(each, text, each.answer) for each, text in responses if each.answer]
        verdicts = iter(self._verdicts(known))
        return [next(verdicts) == "correct" if each.answer else None for each, _ in responses]

    def _verdicts(self, responses: Sequence[tuple[StoredThought, str, str]]) -> list[Verdict]:
        grades = self.grader.grade(
            [
                Submission(gold=gold, kind=each.problem.kind, num_choices=each.problem.num_choices, response=text)
                for each, text, gold in responses
            ]
        )
        return [grade.verdict for grade in grades]
