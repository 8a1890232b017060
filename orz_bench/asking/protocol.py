"""How questions are asked and answers read: named protocols, the card written with every result, and its fingerprint.

The fingerprint covers everything that can move a score. It leaves out n and --limit, which decide how many samples are
generated but not what they are (docs/decisions/0001-fingerprint.md), and the checkpoint, whose identity is stored
beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.templates import NEED_EXAMPLES, TEMPLATES
from orz_bench.asking.thoughts import THOUGHTS, WAIT
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.engines.engine import Sampling
from orz_bench.errors import ConfigError, nearest
from orz_bench.extraction.programs import CODE_EXTRACTORS, code_extractors
from orz_bench.extraction.rules import EXTRACTOR_NAMES, LETTER_EXTRACTORS, LIKELIHOOD, MATH_EXTRACTORS
from orz_bench.records.rollout import AnswerKind, Problem

MIN_TEMPERATURE = 0.01
"""Below it sampling is greedy in all but name, and vLLM raises it to this."""
MAX_TEMPERATURE = 100.0
_MOST_TOKENS = 10**9
_MOST_SAMPLES = 10**6
_MOST_WAITS = 1000
_ADDED_SAMPLING = {"min_p": 0.0, "presence_penalty": 0.0, "frequency_penalty": 0.0, "repetition_penalty": 1.0}
"""Settings that the card got after its first version, with the values that turn them off."""
ORZ_STOP = ("User:", "Human:", "Assistant:", "</answer>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The choices of an evaluation other than the checkpoint, the questions and the machine."""

    name: str
    source: str
    template: str
    sampling: Sampling
    n: int
    extractor: str
    correct_errata: bool = False
    waits: int = 0
    """How often the end of a thought is replaced by `wait_text` (budget forcing, s1, arXiv 2501.19393)."""
    wait_text: str = WAIT
    thought_tokens: int | None = None
    """Thoughts of so many tokens are ended, and the answer is begun; None: they may be as long as the response."""

    @property
    def is_forced(self) -> bool:
        """Whether thoughts are lengthened or cut."""
        return self.waits > 0 or self.thought_tokens is not None

    def __post_init__(self) -> None:
        checks = [*self._checks(), *self._forcing_checks(), *_sampling_checks(self.sampling)]
        faults = [fault for holds, fault in checks if not holds]
        if faults:
            raise ConfigError("; ".join(faults) + ".")

    def _checks(self) -> list[tuple[bool, str]]:
        """(whether it holds, the fault where it does not)."""
        template, extractor, n = self.template, self.extractor, self.n
        return [
            (template in TEMPLATES, f"template {template!r} is unknown{nearest(template, TEMPLATES)}"),
            (
                extractor in EXTRACTOR_NAMES,
                f"extractor {extractor!r} is unknown, wanted one of {', '.join(EXTRACTOR_NAMES)}",
            ),
            (1 <= n <= _MOST_SAMPLES, f"n is {n}, wanted at least 1 and at most {_MOST_SAMPLES:,}"),
            (
                n == 1 or self.sampling.temperature != 0,
                f"n is {n} at temperature 0, where all {n} answers would be the same; use n = 1 or a temperature",
            ),
        ]

    def _forcing_checks(self) -> list[tuple[bool, str]]:
        """(whether it holds, the fault where it does not)."""
        limit, most = self.thought_tokens, self.sampling.max_tokens
        return [
            (self.waits in range(_MOST_WAITS + 1), f"waits is {self.waits}, wanted 0 (off) to {_MOST_WAITS}"),
            (bool(self.wait_text), "wait_text is empty, so that a thought could not go on; leave it out for Wait"),
            (
                self.waits > 0 or self.wait_text == WAIT,
                f"wait_text is {self.wait_text!r}, but waits is 0, so that it is never appended; set waits",
            ),
            (
                limit is None or 1 <= limit < most,
                f"thought_tokens is {limit}, wanted at least 1 and less than max_tokens ({most:,}), so that an answer "
                f"has room",
            ),
            (
                not self.is_forced or self.template in THOUGHTS,
                f"template {self.template!r} asks for no thought, whose end waits and thought_tokens could move; use "
                f"one of {', '.join(THOUGHTS)}",
            ),
        ]

    def on_card(self) -> dict[str, Any]:
        """What the protocol decides of a card, by the card's names and as JSON; None where the card leaves it out."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        plain |= plain.pop("sampling")
        unused = {name: None for name, value in _ADDED_SAMPLING.items() if plain[name] == value}
        unused |= {"waits": None, "wait_text": None} if not self.waits else {}
        return {name: value for name, value in plain.items() if name not in ("name", "source", "n")} | unused


def _sampling_checks(sampling: Sampling) -> list[tuple[bool, str]]:
    """(whether it holds, the fault where it does not)."""
    temperature, top_k, max_tokens = sampling.temperature, sampling.top_k, sampling.max_tokens
    presence, frequency = sampling.presence_penalty, sampling.frequency_penalty
    return [
        (
            temperature == 0 or MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE,
            f"temperature is {temperature}, wanted 0 or more: 0 (greedy), or {MIN_TEMPERATURE} to {MAX_TEMPERATURE:g}",
        ),
        (0 < sampling.top_p <= 1, f"top_p is {sampling.top_p}, wanted more than 0 and at most 1"),
        (top_k == -1 or 1 <= top_k <= _MOST_TOKENS, f"top_k is {top_k}, wanted -1 (off) or at least 1"),
        (
            1 <= max_tokens <= _MOST_TOKENS,
            f"max_tokens is {max_tokens}, wanted at least 1 and at most {_MOST_TOKENS:,}",
        ),
        (
            all(sampling.stop),
            "a stop string is empty, so that every answer would end before it begins; leave it out",
        ),
        (0 <= sampling.min_p <= 1, f"min_p is {sampling.min_p}, wanted 0 (off) to 1"),
        (-2 <= presence <= 2, f"presence_penalty is {presence}, wanted -2 to 2"),
        (-2 <= frequency <= 2, f"frequency_penalty is {frequency}, wanted -2 to 2"),
        (
            0.01 <= sampling.repetition_penalty <= 100,
            f"repetition_penalty is {sampling.repetition_penalty}, wanted 0.01 to 100 (1 is off)",
        ),
    ]


PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="orz",
            source="Open-Reasoner-Zero, paper (Mar 2025) and code at 3fdd9a0: T 1, top_p 1, avg@16",
            template="orz-code",
            sampling=Sampling(temperature=1.0, top_p=1.0, max_tokens=8000, stop=ORZ_STOP),
            n=16,
            extractor="orz",
        ),
        Protocol(
            name="r1",
            source="DeepSeek-R1 paper (2501.12948): T 0.6, top_p 0.95, 32,768 tokens, 64 samples",
            template="chat",
            sampling=Sampling(temperature=0.6, top_p=0.95, max_tokens=32_768),
            n=64,
            extractor="boxed",
        ),
        Protocol(
            name="sober",
            source="Hochlehnert et al. 2025, A Sober Look (2504.07086): T 0.8, top_p 0.9, 10 seeds",
            template="chat",
            sampling=Sampling(temperature=0.8, top_p=0.9, max_tokens=32_768),
            n=10,
            extractor="boxed",
        ),
        Protocol(
            name="greedy",
            source="one greedy answer a question; for quick looks, not for reasoning models' scores",
            template="chat",
            sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=8000),
            n=1,
            extractor="final",
        ),
        Protocol(
            name="lcb",
            source="LiveCodeBench's prompt for chat models (code at 28fef95), sampled as the R1 family is: T 0.6, "
            "top_p 0.95, 32,768 tokens, 16 samples",
            template="lcb",
            sampling=Sampling(temperature=0.6, top_p=0.95, max_tokens=32_768),
            n=16,
            extractor="lcb",
        ),
        Protocol(
            name="orz-greedy",
            source="the template of Open-Reasoner-Zero with one greedy answer a question; ours, for large benchmarks",
            template="orz-code",
            sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=8000, stop=ORZ_STOP),
            n=1,
            extractor="final",
        ),
        Protocol(
            name="mmlu",
            source="MMLU (2009.03300) as in lm-eval: five examples, the most likely letter counts",
            template="mmlu",
            sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=1),
            n=1,
            extractor=LIKELIHOOD,
        ),
        Protocol(
            name="mmlu-pro",
            source="MMLU-Pro (2406.01574), official script at f418b11: five examples, T 0, 2,048 tokens; it guesses "
            "where no letter is found, we do not",
            template="mmlu-pro",
            sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=2048, stop=("Question:",)),
            n=1,
            extractor="mmlu-pro",
        ),
        Protocol(
            name="ifeval",
            source="IFEval (2311.07911): greedy, 1,280 tokens; thoughts and answer tags are stripped first",
            template="chat",
            sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=1280),
            n=1,
            extractor="final",
        ),
    )
}


def get_protocol(name: str) -> Protocol:
    """The named protocol, or a ConfigError that names the nearest."""
    if name not in PROTOCOLS:
        raise ConfigError(f"protocol {name!r} is unknown{nearest(name, PROTOCOLS)}; there are {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


def customise(protocol: Protocol, changes: ProtocolChanges) -> Protocol:
    """The protocol with those settings changed that are not None."""
    wanted = changes.given()
    sampling_names = Sampling.__dataclass_fields__
    sampling = replace(protocol.sampling, **{k: v for k, v in wanted.items() if k in sampling_names})
    return replace(protocol, sampling=sampling, **{k: v for k, v in wanted.items() if k not in sampling_names})


def fit_to_kind(protocol: Protocol, kind: AnswerKind) -> Protocol:
    """The protocol as it reads answers of this kind. Raises ConfigError if it cannot."""
    if kind == "code":
        return replace(protocol, extractor=code_extractors(protocol.extractor)[0])
    if protocol.extractor in CODE_EXTRACTORS or protocol.template == "lcb":
        raise ConfigError(
            f"the protocol {protocol.name!r} (template {protocol.template}, extractor {protocol.extractor}) is for "
            f"programs, but this benchmark does not ask for any; use --protocol orz, or another extractor and template."
        )
    return protocol


def require_fit(benchmark: Benchmark, protocol: Protocol) -> None:
    """Raise ConfigError if the protocol cannot measure this benchmark."""
    by_likelihood = protocol.extractor == LIKELIHOOD
    if by_likelihood != (benchmark.answered == "by_likelihood"):
        asks = "for the most likely option" if by_likelihood else "for a written answer"
        raise ConfigError(
            f"{benchmark.name}: protocol {protocol.name!r} (extractor {protocol.extractor}) asks {asks}, but this "
            f"benchmark is answered {benchmark.answered.replace('_', ' ')}; the two are never mixed. Leave --protocol "
            f"and --extractor out, or use {'--bench mmlu_cot' if benchmark.name == 'mmlu' else 'another benchmark'}."
        )
    if protocol.extractor in LETTER_EXTRACTORS and benchmark.kind != "choice":
        raise ConfigError(
            f"{benchmark.name}: the extractor {protocol.extractor!r} reads letters of options, and this benchmark has "
            f"none; use another --extractor."
        )
    if protocol.extractor in MATH_EXTRACTORS and benchmark.kind != "math":
        raise ConfigError(
            f"{benchmark.name}: the extractor {protocol.extractor!r} reads mathematics, and the answers of this "
            f"benchmark are of another kind ({benchmark.kind}); use another --extractor."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolCard:
    """Everything that can move a score, as it is written beside every result."""

    benchmark: str
    template: str
    template_digest: str
    sampling: Sampling
    max_model_len: int | None
    extractor: str
    correct_errata: bool
    data_hash: str
    grader_version: str
    engine: str
    """Name and version, such as "vllm 0.32.0"."""
    dtype: str
    questions: str | None = None
    """The selection, if questions are named or a random subset."""
    system_prompt: str | None = None
    template_args: Mapping[str, Any] | None = None
    """Arguments of the chat template other than the messages."""
    prompts_as: str | None = None
    """How prompts reach a server, where that is not as text to which nothing is added."""
    server: Mapping[str, Any] | None = None
    """The server that answers: its address, its model, where that comes from, and the name that it answers under."""
    tokenizer: str | None = None
    """Digest of a tokenizer that is not the checkpoint's own."""
    plugins: Mapping[str, str] | None = None
    """What other packages supply: "benchmark" or "engine" -> name and version of the package."""
    endpoint: str | None = None
    """The endpoint of a server, where that is not completions: "chat"."""
    waits: int | None = None
    """How often the end of a thought is replaced by `wait_text`; None: never."""
    wait_text: str | None = None
    thought_tokens: int | None = None
    """Thoughts of so many tokens are ended, and the answer is begun."""
    thought_format: Mapping[str, Any] | None = None
    """The marks of a thought whose length is forced."""
    selection: Mapping[str, Any] | None = None
    """The search by which a critic chose the response: its method, budget, width, and the critic's digest."""

    @property
    def is_forced(self) -> bool:
        """Whether thoughts are lengthened or cut."""
        return self.waits is not None or self.thought_tokens is not None

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change whenever anything on the card does.

        Fields that were added later count only when used, so that older fingerprints stay valid.
        """
        return fingerprint_of(self._used())

    def to_json(self) -> dict[str, Any]:
        """Plain values, without unused fields that were added later."""
        return json.loads(json.dumps(self._used()))  # type: ignore[no-any-return]

    def _used(self) -> dict[str, Any]:
        """Every field that is in use, the settings of sampling among them."""
        added = {field.name: field.default for field in fields(self) if field.default is not MISSING} | _ADDED_SAMPLING
        values = asdict(self)
        values |= values.pop("sampling")
        return {name: value for name, value in values.items() if name not in added or value != added[name]}


def fingerprint_of(card: Mapping[str, Any]) -> str:
    """The fingerprint of a card's plain values, from any version of this program."""
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()[:12]


def make_card(protocol: Protocol, *, kind: AnswerKind = "math", **facts: Any) -> ProtocolCard:
    """Combine a protocol with the benchmark, its kind of answers, data, grader and engine."""
    return ProtocolCard(
        template=protocol.template,
        template_digest=template_digest(protocol.template, kind=kind),
        sampling=protocol.sampling,
        extractor=protocol.extractor,
        correct_errata=protocol.correct_errata,
        waits=protocol.waits or None,
        wait_text=protocol.wait_text if protocol.waits else None,
        thought_tokens=protocol.thought_tokens,
        thought_format=asdict(THOUGHTS[protocol.template]) if protocol.is_forced else None,
        **facts,
    )


def template_digest(name: str, *, kind: AnswerKind = "math") -> str:
    """A digest of the template's text, without anything a checkpoint's tokenizer adds."""
    problems = [
        Problem(benchmark="", problem_id="0", question="{question}", gold="0", kind="math"),
        Problem(benchmark="", problem_id="1", question="{question}", gold="A", kind="choice", num_choices=4),
    ]
    if kind == "code":
        starters: tuple[dict[str, str], ...] = ({}, {"starter_code": "{starter_code}"})
        problems = [
            Problem(benchmark="", problem_id="0", question="{question}", gold="0", kind="code", extra=extra)
            for extra in starters
        ]
    if name in NEED_EXAMPLES:
        problems = [replace(problem, examples="{examples}") for problem in problems]
    text = "\x1f".join(TEMPLATES[name](problem, _BareTokenizer()) for problem in problems)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class _BareTokenizer:
    bos = "{bos}"
    eos = "{eos}"
    opening = "{opening}"

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(text.encode())

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        return json.dumps(list(messages))
