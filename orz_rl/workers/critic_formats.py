"""Critics whose values `orz-bench value` computes: ours, and those that Open-Reasoner-Zero published.

Both are a decoder body with a bias-free head of one output, computed by the packed forward of training. Theirs are
ordinary checkpoints whose head is `value_head.weight`, beside a body under its own names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orz_bench.errors import ConfigError, EngineError, OrzError
from orz_bench.models.json_file import read_object
from orz_bench.models.transformers_imports import leave_out_unused
from orz_bench.models.weights import stored_tensors
from orz_bench.records.arrays import Numbers, logprobs
from orz_bench.valuing.critic import Critic, CriticFormat, CriticSettings, Tokens
from orz_rl.critic import MODEL_TYPE, ValueModel, load_classifier
from orz_rl.ppo.packed_forward import response_values
from orz_rl.ppo.packing import pack
from orz_rl.ppo.packs import Pack
from orz_rl.workers.messages import ModelSpec
from orz_rl.workers.pack_check import check_packs

_HEADS = ("value_head.weight", "score.weight")
"""Names of the head in a checkpoint; the second is that of a sequence classifier of transformers."""
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
_CHECKED_TOKENS = 4096


class PackedCritic:
    """A critic on one device."""

    def __init__(self, folder: Path, settings: CriticSettings, *, names: Mapping[str, str] | None = None) -> None:
        """`names`: pattern -> replacement, of tensors whose names differ from ours."""
        self._folder = folder
        self._device = _device(settings)
        self._pack_tokens = settings.pack_tokens
        self.tokenizer = _tokenizer(folder)
        self._model = _loaded(folder, settings, names=names).to(self._device)
        self.max_tokens: int | None = getattr(self._model.config, "max_position_embeddings", None)
        self.vocabulary = int(self._model.classifier.get_input_embeddings().weight.shape[0])
        check_packs(self._model, spec=_spec(folder, settings), max_tokens=self.max_tokens or _CHECKED_TOKENS)
        self._model.eval()

    def values(self, sequences: Sequence[tuple[Tokens, Tokens]]) -> list[Numbers[float]]:
        """See orz_bench.valuing.critic.Critic."""
        lengths = [len(prompt) + len(response) for prompt, response in sequences]
        found: list[Numbers[float]] = [logprobs([])] * len(sequences)
        for members in pack(lengths, max([self._pack_tokens, *lengths])):
            chosen = [sequences[index] for index in members]
            with torch.no_grad():
                values = response_values(self._model, Pack.of(chosen).to(self._device)).cpu().numpy()
            if not np.isfinite(values).all():
                raise EngineError(
                    f"{self._folder}: the critic gave values that are not finite; use --dtype float32 or another one."
                )
            ends = 0
            for index, (_, response) in zip(members, chosen, strict=True):
                found[index] = logprobs(values[ends : ends + len(response)].copy())
                ends += len(response)
        return found


def _device(settings: CriticSettings) -> torch.device:
    has_cuda = torch.cuda.is_available()
    if settings.device == "cuda" and not has_cuda:
        raise ConfigError("--device cuda: torch finds no CUDA device here; use --device cpu.")
    return torch.device("cuda" if has_cuda and settings.device != "cpu" else "cpu")


def _tokenizer(folder: Path) -> Any:
    if not any((folder / name).is_file() for name in _TOKENIZERS):  # transformers would make an empty one
        raise ConfigError(
            f"{folder}: has no tokenizer ({', '.join(_TOKENIZERS[:3])}, ...); copy the tokenizer's files of its policy "
            f"into this folder."
        )
    leave_out_unused()
    from transformers import AutoTokenizer
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity_error()  # it warns of a model type that it does not know
    try:
        return AutoTokenizer.from_pretrained(str(folder))
    except Exception as error:  # whatever the library raises, the message must name the folder
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(
            f"{folder}: the critic's tokenizer does not load ({reason}); copy the tokenizer's files of its policy into "
            f"this folder."
        ) from error
    finally:
        logging.set_verbosity(before)


def _loaded(folder: Path, settings: CriticSettings, *, names: Mapping[str, str] | None) -> ValueModel:
    from transformers.utils import logging

    logging.disable_progress_bar()
    options: dict[str, Any] = {"key_mapping": dict(names)} if names else {}
    try:
        classifier, missing = load_classifier(str(folder), dtype=settings.dtype, attention="packed_sdpa", **options)
    except OrzError:
        raise
    except Exception as error:  # whatever a library raises for the user's files, the user must learn which file
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(
            f"{folder}: the critic cannot be loaded ({reason}); use another one, or restore it."
        ) from error
    if missing:
        raise ConfigError(f"{folder}: the critic lacks {', '.join(missing)}; export or download it again.")
    return ValueModel(classifier)


def _spec(folder: Path, settings: CriticSettings) -> ModelSpec:
    """What the check of packs reads of it."""
    return ModelSpec.plain(folder, "critic", dtype=settings.dtype, value_head_init="zero")


def _is_ours(folder: Path) -> bool:
    path = folder / "config.json"
    return path.is_file() and read_object(path).get("model_type") == MODEL_TYPE


def _is_published(folder: Path) -> bool:
    if not (folder / "config.json").is_file() or _is_ours(folder):
        return False
    tensors = stored_tensors(folder)
    return any(name in tensors for name in _HEADS)


def _open_ours(folder: Path, settings: CriticSettings) -> Critic:
    return PackedCritic(folder, settings)


def _open_published(folder: Path, settings: CriticSettings) -> Critic:
    return PackedCritic(folder, settings, names={r"^value_head\.": "score."})


OURS = CriticFormat(name="orz", reads=_is_ours, open=_open_ours)
PUBLISHED = CriticFormat(name="open-reasoner-zero", reads=_is_published, open=_open_published)
