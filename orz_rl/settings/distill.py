"""Settings of distillation: learning from another model's answers or probabilities instead of from rewards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from orz_bench.errors import ConfigError, nearest
from orz_rl.settings.section import Count, Positive, Section, Text

Preference = Literal["random", "shortest", "longest", "value", "diverse"]


class DistillConfig(Section):
    """Distillation (docs/distillation.md); without source and teacher it is off."""

    source: Text | None = None
    """Supervised: a run or a table of rollouts whose right answers are learned, with options behind a colon
    (docs/distillation.md); needs advantage.estimator=imitation and loss.objective=log_likelihood, which
    `orz-rl distill --from` sets; null: off."""
    teacher: Text | None = None
    """On-policy: the model that scores every token that the policy samples; needs advantage.estimator=reverse_kl, which
    `orz-rl distill --on-policy` sets; a checkpoint folder or a hub id; null: off."""
    teacher_tokens: Count = 0
    """On-policy: how many of the teacher's most probable tokens are learned at every place, with the rest as one more;
    0: the sampled token alone."""
    batch: Positive = 64
    """Answers per step (supervised)."""


class AnswerChoice(Section):
    """Which stored answers are learned: the options behind the source's name."""

    from_step: Count = 0
    """Only answers that were sampled in this step of the source, or later."""
    per_problem: Positive | None = None
    """At most so many answers of one problem; null: all."""
    limit: Positive | None = None
    """At most so many answers in all, first one of every problem, then a second one, and so on; null: all."""
    prefer: Preference = "random"
    """Which answers of a problem come first. value: those with the highest mean value of `orz-bench value`; diverse:
    each the one that shares the fewest 3-grams of tokens with those before it."""
    critic: Text | None = None
    """Start of the digest of the critic whose values are read (prefer=value); null: the only one there is."""
    against: tuple[Text, ...] = ()
    """Benchmarks whose questions are not learned, besides those of eval.benchmarks; all: every benchmark."""


OPTIONS = tuple(AnswerChoice.model_fields)
_ADDRESS = re.compile(rf"(?P<place>.*?)(?P<options>(?::\s*(?:{'|'.join(OPTIONS)})\s*=[^:]*)*)", re.DOTALL)
_UNKNOWN = re.compile(r":\s*([a-z_]+)\s*=[^:/]*$")


@dataclass(frozen=True, slots=True)
class AnswerSource:
    """A source of answers, as distill.source names it: a path, then `:limit=64:prefer=shortest`."""

    place: str
    choice: AnswerChoice

    @classmethod
    def parse(cls, text: str) -> AnswerSource:
        """From the value of distill.source. ConfigError for an option that is none, or a value that cannot be."""
        match = _ADDRESS.fullmatch(text)
        assert match is not None  # both parts may be empty
        unknown = _UNKNOWN.search(match["place"])
        if unknown is not None:
            raise ConfigError(
                f"distill.source={text}: {unknown[1]} is not an option of answers{nearest(unknown[1], OPTIONS)}; "
                f"wanted NAME=VALUE with one of {', '.join(OPTIONS)}, joined by colons."
            )
        return cls(match["place"], _choice(match["options"], text))

    @property
    def text(self) -> str:
        """The inverse of parse()."""
        given = self.choice.model_dump(exclude_defaults=True)
        texts = {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in given.items()}
        return ":".join([self.place, *(f"{name}={text}" for name, text in texts.items())])


def _choice(text: str, whole: str) -> AnswerChoice:
    found: dict[str, Any] = {}
    for part in filter(None, text.split(":")):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if name in found:
            raise ConfigError(f"distill.source={whole}: the option {name} is given twice; give it once.")
        found[name] = [each.strip() for each in value.split(",")] if name == "against" else value
    try:
        choice = AnswerChoice.model_validate(found)
    except ValidationError as error:
        fault = error.errors()[0]
        where, message = str(fault["loc"][0]), str(fault["msg"])
        raise ConfigError(
            f"distill.source={whole}: {where} is {fault['input']!r}: {message[:1].lower()}{message[1:]}."
        ) from error
    if choice.critic is not None and choice.prefer != "value":
        raise ConfigError(
            f"distill.source={whole}: critic is set, but prefer={choice.prefer} reads no values; use prefer=value, or "
            f"leave critic out."
        )
    return choice
