"""A model that answers yes-no questions about responses, through any engine that an evaluation can use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from orz_bench.engines.asked_model import require_room
from orz_bench.engines.describe import card_facts
from orz_bench.engines.engine import Engine, EngineSpec, Notice, ProbePrompt, Sampling, Tokenizer
from orz_bench.engines.meeting import meet_server, probe_prompt
from orz_bench.engines.open import choose_dtype, choose_engine, opened_once
from orz_bench.engines.registry import get_engine, make_spec, settings_of
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import ConfigError, OrzError
from orz_bench.judging.options import JudgeOptions, named_for_judge
from orz_bench.judging.prompts import RULES, judge_prompt, reading
from orz_bench.models.checkpoint import ModelIdentity, find_checkpoints
from orz_bench.records.rollout import Completion, Message, Problem, Request
from orz_bench.seeds import text_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a judge said of one response."""

    number: int
    """The response's place in what was asked."""
    shows: bool | None
    """None where the reply says neither yes nor no, or there is none."""
    reply: str


@dataclass(frozen=True, kw_only=True)
class ModelJudge:
    """A Judge of analysis.behaviours.marking."""

    identity: ModelIdentity
    facts: Mapping[str, Any]
    """What else of the model can move a reply: engine, type of its numbers, context, server."""
    open_engine: Callable[[], Engine]
    """Starts the engine at its first call; afterwards it returns the same one."""
    wording: Wording
    context: int | None
    """Tokens of prompt and reply together; None if unknown."""
    sampling: Sampling = field(default_factory=lambda: sampling_of(JudgeOptions()))
    seed: int = 0

    @cached_property
    def card(self) -> Mapping[str, Any]:
        """The model, its engine or server, the sampling, and the rules of prompts and replies."""
        sampling = {"temperature": self.sampling.temperature, "max_tokens": self.sampling.max_tokens, "seed": self.seed}
        return {"model": self.identity.digest} | dict(self.facts) | {"sampling": sampling, "rules": RULES}

    def ask(self, question: str, responses: Sequence[tuple[str, str]]) -> Iterator[list[Judgement]]:
        """The judgements of each (problem, response), in the order and the blocks in which the engine answers.

        ConfigError for a response that does not fit the context, before anything is asked.
        """
        requests = [
            self._request(question, number=number, problem=problem, response=response)
            for number, (problem, response) in enumerate(responses)
        ]
        for block in self.open_engine().generate(requests, self.sampling):
            yield [_judgement(one) for one in block]

    def _request(self, question: str, *, number: int, problem: str, response: str) -> Request:
        request = self.wording.request(
            judge_prompt(question, problem=problem, response=response),
            problem=Problem(benchmark="judging", problem_id="response", question=question, gold="yes", kind="math"),
            sample_index=number,
            seed=text_seed(self.seed, question, problem, response),
        )
        ids = request.prompt_token_ids
        if ids is not None:
            require_room(self, [len(ids) + self.sampling.max_tokens], what="a question to the judge")
        return request


def _judgement(completion: Completion) -> Judgement:
    if completion.stop_reason == "failed":
        why = f"no reply: {completion.extra.get('failure', 'unknown reason')}"
        return Judgement(number=completion.sample_index, shows=None, reply=why)
    reply = completion.text.strip()
    return Judgement(number=completion.sample_index, shows=reading(reply), reply=reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a question reaches the model: as a message, or as text in its chat template if it has one."""

    tokenizer: Tokenizer | None
    """None: the server's is unknown, and the text is sent as it is."""
    as_messages: bool = False
    template_args: Mapping[str, Any] = field(default_factory=dict)

    def request(self, prompt: str, *, problem: Problem, sample_index: int, seed: int) -> Request:
        """The request for one reply."""
        text = self.text(prompt)
        return Request(
            problem=problem,
            sample_index=sample_index,
            seed=seed,
            prompt=text,
            prompt_token_ids=self.tokenizer.encode(text) if self.tokenizer is not None else None,
            messages=self.messages(prompt),
        )

    def probe(self, prompt: str) -> ProbePrompt:
        """The first question to a server."""
        if self.as_messages:
            return ProbePrompt(messages=self.messages(prompt))
        return probe_prompt(self.text(prompt), self.tokenizer)

    def messages(self, prompt: str) -> tuple[Message, ...]:
        """For the chat endpoint of a server; none for all else."""
        return ({"role": "user", "content": prompt},) if self.as_messages else ()

    def text(self, prompt: str) -> str:
        """ConfigError for variables that the chat template does not have."""
        if self.as_messages or self.tokenizer is None:
            return prompt
        try:
            return self.tokenizer.render_chat([{"role": "user", "content": prompt}])
        except ConfigError:  # a base model without a chat template
            if self.template_args:
                raise
            return prompt


def sampling_of(options: JudgeOptions) -> Sampling:
    """How replies are drawn."""
    return Sampling(temperature=options.temperature, max_tokens=options.max_tokens)


@contextmanager
def open_judge(name: str, options: JudgeOptions, *, notice: Notice) -> Iterator[ModelJudge]:
    """The judge that `name` means: a checkpoint, a training run's last one, a hub id, or a model's name on a server.

    An engine here starts with the first question; a server is asked for its facts at once. ConfigError or EngineError
    for what cannot be opened, with the names that options of a judge have.
    """
    try:
        with _opened(name, options, notice=lambda message: notice(named_for_judge(message))) as judge:
            yield judge
    except OrzError as error:
        raise type(error)(named_for_judge(str(error))) from error


@contextmanager
def _opened(name: str, options: JudgeOptions, *, notice: Notice) -> Iterator[ModelJudge]:
    from orz_bench.engines.tokenizer import load_tokenizer

    engine, reason = choose_engine(options.engine)
    notice(reason)
    settings = options.by_name()
    make_spec(name=engine, checkpoint="", **settings)  # refuses settings before any file
    found = find_checkpoints(name, engine=engine, reads_files=get_engine(engine).reads_files, step=None)
    checkpoint = found[-1]
    if len(found) > 1:
        notice(f"{name}: asks its last checkpoint, of step {checkpoint.model.step}")
    spec = make_spec(name=engine, checkpoint=checkpoint.path, dtype=choose_dtype(options.dtype, engine), **settings)
    wording = _wording_of(spec, options, load=load_tokenizer)
    if get_engine(engine).is_server:
        spec = replace(spec, template_args=options.template_args if wording.as_messages else {})
        first = wording.probe(judge_prompt("Is the response right?", problem="1 + 1", response="2"))
        spec = meet_server(spec, prompt=first, samplings=[sampling_of(options)], notice=notice)
    facts = card_facts(spec, lambda: wording.tokenizer) | {"template_args": dict(options.template_args) or None}
    with opened_once(spec, first=lambda: None, notice=notice) as open_engine:
        yield ModelJudge(
            identity=checkpoint.model,
            facts={fact: value for fact, value in facts.items() if value is not None},
            open_engine=open_engine,
            wording=wording,
            context=facts["max_model_len"],
            sampling=sampling_of(options),
            seed=options.seed,
        )


def _wording_of(spec: EngineSpec, options: JudgeOptions, *, load: Callable[..., Tokenizer | None]) -> Wording:
    """ConfigError for settings of a prompt that the server would ignore."""
    settings = settings_of(spec)
    as_messages = isinstance(settings, ServerSettings) and settings.endpoint == "chat"
    if as_messages and spec.tokenizer is not None:
        raise ConfigError(
            "--tokenizer renders and counts the prompts of --endpoint completions; with --endpoint chat the server "
            "does both. Leave it out."
        )
    tokenizer = None if as_messages else load(spec, template_args=options.template_args)
    if options.template_args and tokenizer is None and not as_messages:
        raise ConfigError(
            "--template-args are variables of a chat template: use --endpoint chat, or give the model's --tokenizer."
        )
    return Wording(tokenizer=tokenizer, as_messages=as_messages, template_args=options.template_args)
