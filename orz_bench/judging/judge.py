"""A checkpoint that answers yes-no questions about responses, greedily, with an engine of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orz_bench.engines.asked_model import AskedModel, asked_model, require_room
from orz_bench.engines.engine import Sampling
from orz_bench.engines.model_options import ModelOptions
from orz_bench.errors import ConfigError
from orz_bench.judging.prompts import RULES, judge_prompt, reading
from orz_bench.records.rollout import Problem, Request

_REPLY_TOKENS = 16


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """A Judge of analysis.behaviours.marking."""

    model: AskedModel

    @property
    def card(self) -> Mapping[str, Any]:
        """The model, its engine, and the rules of prompts and replies."""
        return self.model.card | {"rules": RULES}

    def ask(self, question: str, responses: Sequence[tuple[str, str]]) -> list[tuple[bool | None, str]]:
        """For each (problem, response): yes, no or neither, and the reply."""
        requests = [
            self._request(question, number=number, problem=problem, response=response)
            for number, (problem, response) in enumerate(responses)
        ]
        sampling = Sampling(temperature=0.0, max_tokens=_REPLY_TOKENS)
        found = {
            one.sample_index: one.text
            for block in self.model.open_engine().generate(requests, sampling)
            for one in block
        }
        replies = [found[number].strip() for number in range(len(requests))]
        return [(reading(reply), reply) for reply in replies]

    def _request(self, question: str, *, number: int, problem: str, response: str) -> Request:
        prompt = self._rendered(judge_prompt(question, problem=problem, response=response))
        ids = self.model.tokenizer.encode(prompt)
        require_room(self.model, [len(ids) + _REPLY_TOKENS], what="a question to the judge")
        return Request(
            problem=Problem(benchmark="judging", problem_id="response", question=question, gold="yes", kind="math"),
            sample_index=number,
            seed=number,
            prompt=prompt,
            prompt_token_ids=ids,
        )

    def _rendered(self, prompt: str) -> str:
        """In the model's chat template, if it has one."""
        render = getattr(self.model.tokenizer, "render_chat", None)
        if render is None:
            return prompt
        try:
            return str(render([{"role": "user", "content": prompt}]))
        except ConfigError:  # a base model without a chat template
            return prompt


@contextmanager
def open_judge(
    name: str, *, engine: str, dtype: str, max_model_len: int | None, notice: Callable[[str], None]
) -> Iterator[ModelJudge]:
    """The judge of this checkpoint; its engine starts with the first question."""
    options = ModelOptions(engine=engine, dtype=dtype, max_model_len=max_model_len)
    with asked_model(name, options, notice=notice) as model:
        yield ModelJudge(model)
