"""The trial checkpoint: saved and read again before the first step, so that no model fails at its first checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orz_bench.engines.soundness import weight_faults
from orz_bench.errors import ConfigError, OrzError
from orz_bench.models.inspection import inspect_checkpoint
from orz_bench.records.parquet import disk_error
from orz_bench.records.regular import read_text
from orz_bench.records.run_dir import RunDir

if TYPE_CHECKING:
    from orz_rl.training.checkpoint import Saveable

_FOLDER = ".trial-checkpoint"
_PROBE = "What is 1 + 1?\nAssistant: <think>"


def try_checkpoint(run: RunDir, learner: Saveable, *, base: str) -> None:
    """Save policy and critic as for a checkpoint, into a temporary folder of the run, and read the policy again.

    Raises ConfigError if something cannot be saved or read, RunDirError if the disk refuses. The optimiser's state,
    which has no values yet, is not tried.
    """
    folder = run.path / _FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _write(folder, learner, base=base)
        check_saved(folder / "policy", base=base)
    except OSError as error:
        if error.errno is not None:
            raise disk_error(folder, error) from error
        raise _refused(base, error) from error
    except OrzError:
        raise
    except Exception as error:  # a library would raise the same at the first checkpoint
        raise _refused(base, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_saved(folder: Path, *, base: str) -> None:
    """Raise ConfigError if a saved policy differs from its base in vocabulary, tokenizer or weights."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    inspect_checkpoint(folder)
    found, wanted = (json.loads(read_text(Path(at) / "config.json")) for at in (folder, base))
    for name in ("vocab_size", "hidden_size", "num_hidden_layers"):
        if wanted.get(name, found.get(name)) != found.get(name):
            raise _different(base, f"{name} in config.json is {found.get(name)}, wanted {wanted.get(name)}")
    config = AutoConfig.from_pretrained(folder)
    ours, theirs = (AutoTokenizer.from_pretrained(at) for at in (folder, base))
    if ours.encode(_PROBE) != theirs.encode(_PROBE) or ours.chat_template != theirs.chat_template:
        raise _different(base, "its tokenizer gives other tokens or has another chat template")
    if (folder / "generation_config.json").is_file():
        GenerationConfig.from_pretrained(folder)
    _, loading = AutoModelForCausalLM.from_pretrained(
        folder, config=config, device_map="meta", output_loading_info=True, use_safetensors=True
    )
    if faults := weight_faults(loading):
        raise _different(base, "; ".join(faults))


def _write(folder: Path, learner: Saveable, *, base: str) -> None:
    from orz_rl.training.checkpoint import copy_tokenizer

    for name, group in learner.groups.items():
        target = folder / name
        target.mkdir(parents=True)
        group.save_model(target).results()
        copy_tokenizer(base, target)


def _different(base: str, what: str) -> ConfigError:
    return ConfigError(f"{base}: the policy changes when it is saved and read again: {what}. Use another base model.")


def _refused(base: str, error: Exception) -> ConfigError:
    reason: Any = " ".join(str(error).split())[:400] or type(error).__name__
    return ConfigError(
        f"{base}: a trial checkpoint could not be written and read again ({reason}). Training has not started. Fix its "
        f"config.json, generation_config.json or tokenizer files."
    )
