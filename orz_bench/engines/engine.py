"""The contract between evaluate() and an engine, and the spec that an engine is opened with.

An engine gets requests and yields lists of completions as they finish. It has no part in templates, grading or files.
It raises EngineError with a message for the user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Literal, Protocol, runtime_checkable

from orz_bench.engines.settings import EndpointName, EngineSettings, SharedSettings, require_counts
from orz_bench.errors import ConfigError
from orz_bench.records.rollout import Completion, Message, Request

Notice = Callable[[str], None]
"""Receives messages for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Sampling settings. Temperature 0 is greedy. Stop strings are kept in the text."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    """-1: off."""
    max_tokens: int = 8000
    stop: tuple[str, ...] = ()
    min_p: float = 0.0
    """Tokens below this share of the most likely token's probability are never sampled; 0: off."""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    """1: off."""

    def refuse_penalties(self) -> None:
        """Raise ConfigError for min-p and penalties, for an engine that does not support them."""
        unused = Sampling()
        for name in ("min_p", "presence_penalty", "frequency_penalty", "repetition_penalty"):
            if getattr(self, name) != getattr(unused, name):
                raise ConfigError(
                    f"--{name.replace('_', '-')} {getattr(self, name):g}: this engine does not support it; use "
                    f"--engine vllm or a server, or leave the option out."
                )


StopStrings = Literal["kept", "named", "left_out", "unknown", "refused"]
"""How a server returns the stop string that ended a text: kept in the text; removed and named; removed without being
named; not known; or it takes none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """Facts about a server, found before anything is generated."""

    base_url: str
    """Without secrets."""
    model: str
    """The name in requests."""
    root: str | None
    """The origin of its model, according to its list of models."""
    answers_as: str | None
    """The model named in its answers."""
    max_model_len: int | None
    fields: tuple[str, ...]
    """Settings beyond OpenAI's that it accepts."""
    stop_strings: StopStrings
    takes_token_ids: bool
    """Whether prompts are sent as token ids, so that the server cannot tokenise them differently or add tokens."""
    endpoint: EndpointName = "completions"
    refused: tuple[str, ...] = ()
    """Settings of OpenAI's that it does not accept: temperature, top_p, seed, stop."""
    limit_as: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """Its name for the limit of new tokens."""
    counts_by: Literal["token_ids", "logprobs"] | None = None
    """What lists the tokens of each of several samples of one request; None: a request gives one sample."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, without unused fields that were added later: fingerprints cover them."""
        added = {one.name: one.default for one in fields(self) if one.default is not MISSING}
        return {name: value for name, value in asdict(self).items() if name not in added or value != added[name]}

    @property
    def prompts(self) -> str | None:
        """How prompts are sent, unless as text to which nothing is added."""
        if self.endpoint == "chat":
            return "messages, in the server's chat template"
        if self.takes_token_ids:
            return "token ids"
        return None if "add_special_tokens" in self.fields else "text, opened as the server does"


Prompt = str | list[int] | tuple[Message, ...]
"""A prompt as text, as token ids, or as messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePrompt:
    """The prompt of the first short questions to a server: preferably one of the evaluation."""

    text: str = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,"
    token_ids: tuple[int, ...] | None = None
    messages: tuple[Message, ...] = ()
    """For the chat endpoint, instead of the text."""

    @property
    def sent(self) -> Prompt:
        """What is sent."""
        return self.messages or self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec(SharedSettings):
    """Everything needed to open an engine, here or in another process."""

    name: str
    """One of orz_bench.engines.registry."""
    checkpoint: str
    """A local folder, a hub id, or the model's name on a server."""
    dtype: str = "bfloat16"
    """A torch type; "unknown" for an engine that does not choose it (a server, fake)."""
    server: ServerFacts | None = None
    """Facts about the server; None: the engine asks for them."""
    settings: EngineSettings | None = None
    """Settings that only this engine has; None: its defaults."""
    template_args: Mapping[str, Any] = field(default_factory=dict)
    """For a server's chat endpoint: variables of its chat template besides the messages."""

    def __post_init__(self) -> None:
        require_counts(num_engines=self.num_engines, max_model_len=self.max_model_len)
        if self.settings is not None and self.settings.engine != self.name:
            raise ConfigError(
                f"settings of the engine {self.settings.engine} were given to the engine {self.name}; "
                f"give it its own, or none for its defaults."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class LikelihoodRequest:
    """A question: how likely is each of these continuations after this context?"""

    key: tuple[str, int]
    """Unique within one call."""
    context: tuple[int, ...]
    """At least one token."""
    continuations: tuple[tuple[int, ...], ...]
    """Each has at least one token."""
    num_shared: int = 0
    """Tokens that its context shares with those of its neighbours: they are computed once."""

    @classmethod
    def of(cls, request: Request) -> LikelihoodRequest:
        """The question how likely each option of a request is after its prompt."""
        return cls(
            key=request.key,
            context=request.prompt_token_ids or (),
            continuations=request.options,
            num_shared=request.num_shared,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihoods:
    """The answer to a LikelihoodRequest, one entry per continuation."""

    key: tuple[str, int]
    logprobs: tuple[float, ...]
    """Natural logarithm, summed over the continuation's tokens."""
    is_greedy: tuple[bool, ...]
    """Whether each of its tokens is the most likely one."""


class Tokenizer(Protocol):
    """The part of a checkpoint's tokenizer that prompts need."""

    @property
    def bos(self) -> str:
        """The text of the begin-of-sequence token, or the empty string."""
        ...

    @property
    def eos(self) -> str:
        """The text of the end-of-sequence token, or the empty string."""
        ...

    @property
    def opening(self) -> str:
        """The text that the tokenizer itself adds before every text, or the empty string.

        Many tokenizers have a bos token and never add it.
        """
        ...

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a rendered prompt; no special token is added."""
        ...

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """The messages in the checkpoint's chat template, with its generation prompt. ConfigError if it has none."""
        ...


class Engine(Protocol):
    """Generates completions."""

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """Yield every request's completion exactly once, in any order, as lists that are committed as a whole.

        Requests are read when there is room for them.

        Each list is written to disk as one unit, so an engine whose numerics depend on the batch (transformers)
        yields whole batches: an interrupted run then resumes with the same batches.
        """
        ...

    def close(self) -> None:
        """Release the device and end every process; safe to call twice."""
        ...


@runtime_checkable
class LikelihoodEngine(Engine, Protocol):
    """An engine that also computes log-likelihoods of given texts: vllm, transformers and fake."""

    def loglikelihood(self, requests: Iterable[LikelihoodRequest]) -> Iterator[list[Likelihoods]]:
        """Yield every request's answer exactly once, as lists that are committed as a whole.

        Neighbours with the same first `num_shared` tokens are computed together.
        """
        ...


class WeightSource(Protocol):
    """The source of new weights for an engine; it may be sent to other processes."""

    def tensors(self, device: Any) -> Iterator[tuple[str, Any]]:
        """Each weight once as (Hugging Face name, tensor), including a tied output layer."""
        ...


class Drawing(Protocol):
    """Samples in progress, whose unfinished part can be taken away to go on elsewhere, or with other weights."""

    @property
    def num_open(self) -> int:
        """Samples that are not complete."""
        ...

    def add(self, requests: Iterable[Request]) -> None:
        """Begin these too, or go on with what was drawn of them."""
        ...

    def step(self) -> list[Completion]:
        """Draw at most one token of each sample; those that are complete now. They have versions for all tokens."""
        ...

    def end(self) -> list[Request]:
        """Stop. The open requests with what was drawn of each; weights may be replaced afterwards."""
        ...


@runtime_checkable
class TrainedEngine(Engine, Protocol):
    """An engine whose weights training replaces while it is open."""

    def load_weights(self, source: WeightSource, *, version: int) -> None:
        """Replace all weights. Later completions carry `version`."""
        ...

    def draw(self, sampling: Sampling) -> Drawing:
        """Begin to draw samples that may outlive these weights; the engine does nothing else until its end()."""
        ...

    def sleep(self) -> None:
        """Release the device's memory until both wake calls; the weights may be lost."""
        ...

    def wake_weights(self) -> None:
        """Allocate the memory of the weights again; load_weights() follows."""
        ...

    def wake_cache(self) -> None:
        """Allocate the memory of the cache again, after the policy has left the device; generate() may follow."""
        ...
