"""Limits in a checkpoint's config.json: the context, and the rows of its embedding.

The context follows vLLM's rule (`_get_and_verify_max_len`), with one addition: YaRN reaches `factor` times the context
that it was scaled from, also where `max_position_embeddings` still names the original one, as in Qwen's recipes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError
from orz_bench.models.json_file import read_object

_TEXT_CONFIGS = ("text_config", "llm_config", "language_config")
_LENGTHS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
)
_YARN = ("yarn", "deepseek_yarn")
_SCALED_ALREADY = ("su", "longrope", "llama3", "deepseek_llama_scaling", *_YARN)
"""RoPE types with which max_position_embeddings is the scaled length."""


class ModelConfig:
    """A checkpoint's config.json. Raises ConfigError for one that cannot be a model's."""

    def __init__(self, path: Path) -> None:
        """`path` is the file."""
        self._path = path
        self._whole = read_object(path)
        self._text = self._text_part()

    @property
    def model_type(self) -> str:
        """The architecture's name."""
        found = self._whole.get("model_type")
        if not isinstance(found, str) or not found:
            raise ConfigError(
                f"{self._path}: model_type is {_shown(found)}, wanted the architecture's name, such as qwen2; "
                f"save the checkpoint again."
            )
        return found

    @property
    def plain_context(self) -> int | None:
        """Tokens of prompt and completion together, as vLLM reads the file; None if the file does not say."""
        own = self._count("model_max_length")
        lengths = [length for name in _LENGTHS if (length := self._count(name)) is not None]
        if not lengths:
            return None
        limit = own or min(lengths)
        if "gemma3" in str(self._text.get("model_type")):
            return limit
        factors = [
            factor
            for rope in self._ropes()
            if _rope_type(rope) not in _SCALED_ALREADY and (factor := self._factor(rope)) is not None
        ]
        return int(limit * factors[-1]) if factors else limit

    @property
    def context(self) -> int | None:
        """Tokens of prompt and completion together that the model can hold."""
        plain = self.plain_context
        if plain is None:
            return None
        stretched = [
            int((_positive(rope.get("original_max_position_embeddings")) or plain) * factor)
            for rope in self._ropes()
            if _rope_type(rope) in _YARN and (factor := self._factor(rope)) is not None
        ]
        return max([plain, *stretched])

    @property
    def is_tied(self) -> bool:
        """True if the file ties the output layer to the embedding."""
        return self._whole.get("tie_word_embeddings") is True or self._text.get("tie_word_embeddings") is True

    @property
    def caps_attention(self) -> bool:
        """True if attention scores are soft-capped (Gemma 2), which torch's own attention does not compute."""
        return bool(self._text.get("attn_logit_softcapping"))

    @property
    def vocabulary(self) -> int | None:
        """Rows of the embedding; None if the file does not say."""
        return self._count("vocab_size")

    def _text_part(self) -> Mapping[str, Any]:
        for name in _TEXT_CONFIGS:
            part = self._whole.get(name)
            if isinstance(part, dict):
                return part
            if part is not None:
                raise ConfigError(
                    f"{self._path}: {name} is {_shown(part)}, wanted an object; save the checkpoint again."
                )
        return self._whole

    def _count(self, name: str) -> int | None:
        found = self._text.get(name)
        if found is None:
            return None
        count = _positive(found)
        if count is None or count != int(count):
            raise ConfigError(
                f"{self._path}: {name} is {_shown(found)}, wanted a whole number above 0; save the checkpoint again."
            )
        return int(count)

    def _ropes(self) -> Iterator[Mapping[str, Any]]:
        """RoPE settings, one for each kind of layer: as transformers 5 writes them, or as earlier versions did."""
        for name in ("rope_parameters", "rope_scaling"):
            found = self._text.get(name)
            if found is not None and not isinstance(found, dict):
                raise ConfigError(
                    f"{self._path}: {name} is {_shown(found)}, wanted an object or null; save the checkpoint again."
                )
            if found:
                parts = [part for part in found.values() if isinstance(part, dict)]
                yield from parts or [found]
                return

    def _factor(self, rope: Mapping[str, Any]) -> float | None:
        found = rope.get("factor")
        if found is None:
            return None
        factor = _positive(found)
        if factor is None:
            raise ConfigError(
                f"{self._path}: the RoPE factor is {_shown(found)}, wanted a number above 0; save the checkpoint again."
            )
        return factor


def _rope_type(rope: Mapping[str, Any]) -> str:
    return str(rope.get("rope_type") or rope.get("type") or "default")


def _positive(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < float(value) < float("inf") else None  # type: ignore[arg-type]


def _shown(value: object) -> str:
    text = repr(value)
    return "missing" if value is None else text if len(text) <= 40 else f"{text[:40]}…"
