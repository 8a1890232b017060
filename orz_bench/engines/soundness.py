"""Checks of engines and training that a model is complete and its outputs are finite.

A missing tensor would be random, an extra or misshapen one would belong to a different model than the configuration's,
and an output that is not finite would be scored 0.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orz_bench.errors import EngineError, counted
from orz_bench.models.json_file import read_object
from orz_bench.models.weights import INDEX, weight_files

_NO_FAULT = re.compile(
    r"rotary_emb\.inv_freq$"  # computed from the configuration
    r"|(^|\.)(mtp|vision_tower|vision_model|visual|multi_modal_projector|audio_tower)\."  # not for text
)
_MAX_PADDING = 1024
"""Maximum padding of embeddings beyond the vocabulary, with which devices share them evenly."""
_MAX_PADDING_SHARE = 0.1


def require_whole(
    loading: Mapping[str, Any], checkpoint: str, *, new: Collection[str] = (), left: Collection[str] = ()
) -> None:
    """Raise EngineError unless transformers found every tensor of the model in its shape, and no other tensors.

    See weight_faults.
    """
    faults = weight_faults(loading, new=new, left=left)
    if faults:
        raise EngineError(
            f"{checkpoint}: the checkpoint is broken: its weights are not those of the model that config.json "
            f"describes ({'; '.join(faults)}). Nothing was generated. Save or download it again, or fix config.json."
        )


def weight_faults(loading: Mapping[str, Any], *, new: Collection[str] = (), left: Collection[str] = ()) -> list[str]:
    """The tensors that are missing from a checkpoint, have a wrong shape in it, or are not part of its model.

    `loading`: transformers' loading_info. `new`: parts that the checkpoint may lack. `left`: parts of the checkpoint
    that the model may lack.
    """
    missing = sorted(name for name in loading["missing_keys"] if not name.startswith(tuple(new)))
    unexpected = (name for name in loading["unexpected_keys"] if not name.startswith(tuple(left)))
    extra = sorted(name for name in unexpected if not _NO_FAULT.search(name))
    misshapen = sorted(
        f"{name} (found {tuple(found)}, wanted {tuple(wanted)})" for name, found, wanted in loading["mismatched_keys"]
    )
    faults = [
        f"{counted(len(names), 'tensor')} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
        for names, what in ((missing, "missing"), (misshapen, "with a wrong shape"), (extra, "not part of this model"))
        if names
    ]
    return faults + [str(message).splitlines()[0] for message in loading.get("error_msgs") or ()]


def require_whole_files(checkpoint: str) -> None:
    """The same check for an engine that loads weights itself: compares names and shapes without reading tensors.

    Left to the engine for architectures unknown to transformers and for quantised weights.
    """
    folder = Path(checkpoint)
    if not (folder / "config.json").is_file() or read_object(folder / "config.json").get("quantization_config"):
        return
    model_class = _model_class(folder)
    if model_class is None:
        return
    try:
        _, loading = model_class.from_pretrained(
            checkpoint,
            device_map="meta",
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except AssertionError:
        # After vLLM has used transformers' own class of an architecture in this process (OLMo 2), that class can be
        # built only inside vLLM: not a fault of these files.
        return
    except Exception as error:  # whatever the library raises, the message must name the file
        raise unloadable(checkpoint, error) from error
    require_whole(loading, checkpoint)


def unloadable(checkpoint: str, error: BaseException) -> EngineError:
    """The error for an exception of transformers about a checkpoint's files."""
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return EngineError(f"{checkpoint}: transformers cannot load it ({reason}).")


def refuse_strays(checkpoint: str) -> None:
    """Raise EngineError for weight files that vLLM would load although they are not part of the model.

    Without an index it reads every safetensors file in the folder, and the last one wins.
    """
    folder = Path(checkpoint)
    if not folder.is_dir() or (folder / INDEX).is_file():
        return
    strays = sorted({path.name for path in folder.glob("*.safetensors")} - {path.name for path in weight_files(folder)})
    if strays:
        raise EngineError(
            f"{checkpoint}: vllm would also load {', '.join(strays[:3])}, which is not part of this model; "
            f"move it elsewhere, or use --engine transformers."
        )


def not_finite(checkpoint: str) -> EngineError:
    """The error for a model whose logits or log-probabilities are NaN or infinite."""
    return EngineError(
        f"{checkpoint}: the checkpoint is broken: the model's outputs are not finite (NaN or infinity), as after a run "
        f"that diverged. Such outputs are not stored. Use an earlier checkpoint; if the weights are sound, avoid the "
        f"overflow of float16 with --dtype bfloat16 or float32."
    )


def require_known_ids(ids: Sequence[int], *, rows: int | None, checkpoint: str) -> None:
    """Raise EngineError if a prompt has an id without a row in the model's embedding."""
    beyond = [token for token in ids if not 0 <= token < rows] if rows is not None else []
    if beyond:
        raise EngineError(
            f"{checkpoint}: a prompt has the token id {beyond[0]:,}, but the model's embedding has {rows:,} rows; "
            f"tokenizer and weights do not belong together. Copy this model's own tokenizer there."
        )


def unknown_ids(tokenizer: Any, *, rows: int, checkpoint: str) -> list[int]:
    """The ids of the embedding without text in the tokenizer: they must not be sampled.

    Many embeddings are padded to a round number of rows. EngineError if they are more than padding: the tokenizer
    then belongs to another model.
    """
    known = set(tokenizer.get_vocab().values())
    unknown = [token for token in range(rows) if token not in known]
    if len(unknown) >= _MAX_PADDING and len(unknown) > _MAX_PADDING_SHARE * rows:
        raise EngineError(
            f"{checkpoint}: the tokenizer knows {rows - len(unknown):,} of the {rows:,} ids of the model, so many "
            f"answers would have no text; tokenizer and weights do not belong together. Copy this model's own "
            f"tokenizer there."
        )
    return unknown


def _model_class(folder: Path) -> Any:
    """transformers' class for the architecture that the configuration names, or None."""
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(folder)
    except Exception:
        return None
    named: Iterable[str] = config.architectures or ()
    for name in named:
        found = getattr(transformers, name, None)
        if found is not None:
            return found
    is_known = type(config) in transformers.AutoModelForCausalLM._model_mapping  # noqa: SLF001 - the way to ask
    return transformers.AutoModelForCausalLM if is_known else None
