"""The token layer of a training run: who gets the advantage and the update, by entropy, length and word.

Formulas: docs/tokens.md. Steps are read one by one; figures are means over steps, with intervals over steps.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml

from analysis.tokens.pieces import is_a_tokenizer, token_pieces, words_of
from analysis.tokens.shares import PARTS, mean_by_rank, shares, sums_by_rank
from analysis.tokens.step_tokens import Array, Normalisation, StepTokens, chosen_steps, step_tokens
from orz_bench.errors import DataError, counted
from orz_bench.records.run_dir import RunDir

MOST_STEPS = 20
LEAST_TOKENS = 1_000
LEAST_RESPONSES = 20
MOST_WORDS = 30
LEAST_USES = 20
"""Of a word that is listed."""
_MOST_RESPONSES = 400
"""Of a step whose words are counted, evenly spread."""
_TOP = 2
"""Deciles of the tokens with the highest entropy that are named in arXiv 2506.01939."""
_Z = 1.959963984540054
_NORMALISATIONS = ("token", "sequence", "constant")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverSteps:
    """A mean of shares over steps, with its 95 % interval (None for one step)."""

    value: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> OverSteps:
        """Student's t would be wider for few steps: with less than 10 they are a hint."""
        mean = float(np.mean(values))
        if len(values) < 2:
            return cls(value=mean, low=None, high=None)
        error = _Z * float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return cls(value=mean, low=max(mean - error, 0.0), high=min(mean + error, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyDecile:
    """A tenth of a step's tokens, by entropy."""

    decile: int
    """1 has the lowest."""
    entropy: float
    """Mean, in nats."""
    advantage: OverSteps
    """Share of the sum of abs(A)."""
    update: OverSteps
    """Share of the sum of w abs(A) (1 - p)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthDecile:
    """A tenth of a step's responses, by length."""

    decile: int
    length: float
    """Mean, in tokens."""
    tokens: OverSteps
    advantage: OverSteps
    update: OverSteps
    raising: float | None
    """Update per token of responses with a positive advantage, over that of all of them; None without any."""
    lowering: float | None
    """The same of a negative advantage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordShare:
    """A word, or all numbers."""

    word: str
    num: int
    entropy: float
    """Mean at its first token."""
    tokens: float
    """Share of the tokens counted."""
    advantage: float
    update: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLayer:
    """One run."""

    steps: tuple[int, ...]
    num_responses: int
    num_left_out: int
    num_tokens: int
    normalisation: str
    top_fifth: OverSteps
    """Share of the update of the 20 % of tokens with the highest entropy."""
    entropies: tuple[EntropyDecile, ...]
    lengths: tuple[LengthDecile, ...]
    words: tuple[WordShare, ...]
    """By their share of the update; none without a tokenizer."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def token_layer(
    path: Path, *, steps: Sequence[int] = (), most_steps: int = MOST_STEPS, tokenizer: Path | None = None
) -> TokenLayer:
    """The token layer of a run, over these steps or at most so many. DataError for a run without entropies.

    `tokenizer`: a folder with tokenizer.json; None: that of a kept checkpoint, if there is one.
    """
    run = RunDir(path)
    run.info()
    chosen = chosen_steps(run, most=most_steps, wanted=steps)
    found = [tokens for step, rollouts in chosen if (tokens := step_tokens(step, rollouts)) is not None]
    if not found:
        raise DataError(
            f"{path}: no response of {counted(len(chosen), 'step')} has token ids, log-probabilities, entropies and an "
            f"advantage. They are stored by orz-rl train with rollouts.entropies=true, where rollouts.keep keeps "
            f"log-probabilities; other trainers report no entropies."
        )
    _require_enough(found, path)
    normalisation = _normalisation(run)
    return TokenLayer(
        steps=tuple(each.step for each in found),
        num_responses=sum(len(each.lengths) for each in found),
        num_left_out=sum(each.num_left_out for each in found),
        num_tokens=sum(len(each.token_ids) for each in found),
        normalisation=normalisation,
        top_fifth=OverSteps.of([float(_update_by_entropy(each, normalisation)[-_TOP:].sum()) for each in found]),
        entropies=_entropies(found, normalisation),
        lengths=_lengths(found, normalisation),
        words=_words(found, normalisation, pieces=_pieces(run, tokenizer)),
    )


def _require_enough(found: Sequence[StepTokens], path: Path) -> None:
    num_tokens, num = sum(len(each.token_ids) for each in found), sum(len(each.lengths) for each in found)
    if num_tokens < LEAST_TOKENS or num < LEAST_RESPONSES:
        raise DataError(
            f"{path}: {counted(num, 'response')} with {counted(num_tokens, 'token')} have entropies, wanted at least "
            f"{LEAST_RESPONSES} and {LEAST_TOKENS:,} for shares by tenths; read more steps, or train longer."
        )
    if not any(each.update("token").sum() > 0 for each in found):
        raise DataError(f"{path}: every advantage of these steps is 0, so that no token was learned from.")


def _normalisation(run: RunDir) -> Normalisation:
    """That of the run's loss; DataError for a config.yaml that does not say."""
    try:
        found = yaml.safe_load(run.config_path.read_text(encoding="utf-8"))["loss"]["normalisation"]
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise DataError(
            f"{run.config_path}: does not say loss.normalisation ({error!r}), which weighs tokens; restore it."
        ) from error
    if found not in _NORMALISATIONS:
        raise DataError(f"{run.config_path}: loss.normalisation is {found!r}, wanted {', '.join(_NORMALISATIONS)}.")
    return cast("Normalisation", found)


def _pieces(run: RunDir, tokenizer: Path | None) -> Mapping[int, bytes] | None:
    if tokenizer is not None:
        return token_pieces(tokenizer)
    folder = next((policy for _, policy in reversed(run.checkpoints()) if is_a_tokenizer(policy)), None)
    return None if folder is None else token_pieces(folder)


def _update_by_entropy(tokens: StepTokens, normalisation: Normalisation) -> Array:
    found = shares(sums_by_rank(tokens.entropies, tokens.update(normalisation)))
    return np.zeros(PARTS) if found is None else found


def _learned(found: Sequence[StepTokens]) -> list[StepTokens]:
    """Steps with an advantage."""
    return [each for each in found if each.update("token").sum() > 0]


def _entropies(found: Sequence[StepTokens], normalisation: Normalisation) -> tuple[EntropyDecile, ...]:
    kept = _learned(found)
    advantage = [cast("Array", shares(sums_by_rank(each.entropies, each.advantage()))) for each in kept]
    update = [_update_by_entropy(each, normalisation) for each in kept]
    means = np.mean([mean_by_rank(each.entropies) for each in kept], axis=0)
    return tuple(
        EntropyDecile(
            decile=part + 1,
            entropy=float(means[part]),
            advantage=OverSteps.of([float(each[part]) for each in advantage]),
            update=OverSteps.of([float(each[part]) for each in update]),
        )
        for part in range(PARTS)
    )


def _lengths(found: Sequence[StepTokens], normalisation: Normalisation) -> tuple[LengthDecile, ...]:
    kept = _learned(found)
    rows = [_by_response(each, normalisation) for each in kept]
    by_length = {
        name: [
            cast("Array", shares(sums_by_rank(each.lengths, row[name]))) for each, row in zip(kept, rows, strict=True)
        ]
        for name in ("tokens", "advantage", "update")
    }
    signed = {
        name: _per_token(kept, rows, keeps=keeps)
        for name, keeps in (("raising", lambda a: a > 0), ("lowering", lambda a: a < 0))
    }
    means = np.mean([mean_by_rank(each.lengths) for each in kept], axis=0)
    return tuple(
        LengthDecile(
            decile=part + 1,
            length=float(means[part]),
            **{name: OverSteps.of([float(each[part]) for each in values]) for name, values in by_length.items()},
            raising=signed["raising"][part],
            lowering=signed["lowering"][part],
        )
        for part in range(PARTS)
    )


def _by_response(tokens: StepTokens, normalisation: Normalisation) -> dict[str, Array]:
    num = len(tokens.lengths)
    return {
        "tokens": tokens.lengths.astype(np.float64),
        "advantage": np.bincount(tokens.owners, tokens.advantage(), minlength=num),
        "update": np.bincount(tokens.owners, tokens.update(normalisation), minlength=num),
    }


def _per_token(kept: Sequence[StepTokens], rows: Sequence[Mapping[str, Array]], *, keeps: Any) -> list[float | None]:
    """Update per token in each length decile, over that of all responses with this sign; over all steps together."""
    update, tokens = np.zeros(PARTS), np.zeros(PARTS)
    for each, row in zip(kept, rows, strict=True):
        chosen = keeps(each.advantages)
        update += sums_by_rank(each.lengths, np.where(chosen, row["update"], 0.0))
        tokens += sums_by_rank(each.lengths, np.where(chosen, row["tokens"], 0.0))
    if update.sum() <= 0:
        return [None] * PARTS
    mean = update.sum() / tokens.sum()
    return [float(u / t / mean) if t > 0 else None for u, t in zip(update, tokens, strict=True)]


def _words(
    found: Sequence[StepTokens], normalisation: Normalisation, *, pieces: Mapping[int, bytes] | None
) -> tuple[WordShare, ...]:
    if pieces is None:
        return ()
    sums: dict[str, Array] = defaultdict(lambda: np.zeros(5))
    for each in _learned(found):
        _add_words(sums, each, normalisation=normalisation, pieces=pieces)
    total = np.sum(list(sums.values()), axis=0) if sums else np.zeros(5)
    kept = sorted(
        ((word, row) for word, row in sums.items() if row[0] >= LEAST_USES), key=lambda pair: -float(pair[1][4])
    )
    return tuple(
        WordShare(
            word=word,
            num=int(row[0]),
            entropy=float(row[1] / row[0]),
            tokens=float(row[2] / total[2]),
            advantage=float(row[3] / total[3]),
            update=float(row[4] / total[4]),
        )
        for word, row in kept[:MOST_WORDS]
    )


def _add_words(
    sums: dict[str, Array], tokens: StepTokens, *, normalisation: Normalisation, pieces: Mapping[int, bytes]
) -> None:
    """Add (uses, entropy at the first token, tokens, abs(A), update) of every word, each step with a total of 1."""
    advantage, update = (each / each.sum() for each in (tokens.advantage(), tokens.update(normalisation)))
    ends = tokens.ends
    num = len(ends)
    for response in np.unique(np.linspace(0, num - 1, min(num, _MOST_RESPONSES)).round().astype(int)).tolist():
        start, end = int(ends[response] - tokens.lengths[response]), int(ends[response])
        for word, first, behind in words_of(tokens.token_ids[start:end].tolist(), pieces):
            place = slice(start + first, start + behind)
            sums[word] += (
                1,
                float(tokens.entropies[start + first]),
                behind - first,
                advantage[place].sum(),
                update[place].sum(),
            )
