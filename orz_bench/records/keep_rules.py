"""Which rollouts of a training keep their texts, tokens and log-probabilities.

A rule is one of `all`, `every:K` (steps that K divides), `last:K` (the newest K steps) and `sampled:P` (a share P of
the problems of each step, whole groups). Everything else of a rollout always stays.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, Self, get_args

Content = Literal["texts", "tokens", "logprobs"]
_RULE = re.compile(r"(all)|(every|last):([1-9][0-9]{0,8})|(sampled):(0?\.[0-9]+|1(?:\.0*)?)")


@dataclass(frozen=True, slots=True)
class KeepRule:
    """One rule."""

    kind: Literal["all", "every", "last", "sampled"]
    number: float = 1.0
    """K, or P."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """ValueError for what is no rule."""
        match = _RULE.fullmatch(text)
        kind = match and (match[1] or match[2] or match[4])
        if match is None or kind is None or float(match[3] or match[5] or 1) == 0:
            raise ValueError(
                "wanted all, every:K (steps that K divides), last:K (the newest K steps) or sampled:P (a share of the "
                "problems, more than 0 and at most 1), such as every:50 or sampled:0.1"
            )
        return cls(kind, float(match[3] or match[5] or 1))  # type: ignore[arg-type]

    def keeps(self, step: int, problem_id: str) -> bool:
        """Whether the samples of a problem keep the content in an old step, which is no longer among the last."""
        if self.kind == "sampled":
            return _position(step, problem_id) < self.number
        return not self.drops_all(step)

    def drops_all(self, step: int) -> bool:
        """Whether no row of an old step keeps the content."""
        return self.kind == "last" or (self.kind == "every" and step % int(self.number) != 0)

    def __str__(self) -> str:
        if self.kind == "all":
            return self.kind
        return f"{self.kind}:{self.number if self.kind == 'sampled' else int(self.number)}"

    @property
    def num_last(self) -> int:
        """The number of newest steps that it keeps whole."""
        return int(self.number) if self.kind == "last" else 0

    @property
    def share(self) -> float:
        """The share of old rollouts that keep the content, in the long run."""
        return {"all": 1.0, "every": 1 / self.number, "last": 0.0, "sampled": self.number}[self.kind]


def _position(step: int, problem_id: str) -> float:
    """A fixed number in [0, 1) for a group, so that a smaller share is a part of a larger one."""
    digest = hashlib.blake2b(f"{step}\0{problem_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def rule_text(text: str) -> str:
    """The text, if it is a rule; else ValueError."""
    KeepRule.parse(text)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The rules of a run. Log-probabilities are kept at most where tokens are."""

    texts: KeepRule
    tokens: KeepRule
    logprobs: KeepRule

    @classmethod
    def of(cls, keep: str, *, texts: str | None, tokens: str | None, logprobs: str | None) -> Self:
        """From rules as they are written; None: as `keep`."""
        found = (KeepRule.parse(rule or keep) for rule in (texts, tokens, logprobs))
        return cls(**dict(zip(get_args(Content), found, strict=True)))

    @property
    def keeps_all(self) -> bool:
        """Whether nothing is ever dropped."""
        return all(rule.kind == "all" for rule in self.rules.values())

    @property
    def num_last(self) -> int:
        """The number of newest steps that are kept whole: the most that a rule asks for."""
        return max(rule.num_last for rule in self.rules.values())

    def share(self, content: Content) -> float:
        """The share of old rollouts that keep a content, in the long run."""
        share = self.rules[content].share
        return min(share, self.rules["tokens"].share) if content == "logprobs" else share

    @property
    def rules(self) -> dict[Content, KeepRule]:
        """By content."""
        return {"texts": self.texts, "tokens": self.tokens, "logprobs": self.logprobs}
