"""What would first fail at the first checkpoint is tried before the first step: write the models, read them again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orz_bench.errors import ConfigError, OrzError
from orz_bench.models.checkpoint import inspect_checkpoint
from orz_bench.records.parquet import disk_error
from orz_bench.records.run_dir import RunDir

if TYPE_CHECKING:
    from orz_rl.training.learner import Learner

_FOLDER = ".rehearsal"
_PROBE = "What is 1 + 1?\nAssistant: <think>"


def rehearse(run: RunDir, learner: Learner, *, base: str) -> None:
    """Write policy and critic as a checkpoint does, into a temporary folder of the run, and read the policy's parts.

    Raises ConfigError with what cannot be saved or read, RunDirError where the disk refuses. The optimiser's
    state, which has no values yet, is not tried.
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
    except Exception as error:  # whatever a library raises here, it would raise at the first checkpoint
        raise _refused(base, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_saved(folder: Path, *, base: str) -> None:
    """Raise ConfigError where a saved policy is not what was read from the base: vocabulary, tokens, weights."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    inspect_checkpoint(folder)
    found, wanted = (json.loads((Path(at) / "config.json").read_text(encoding="utf-8")) for at in (folder, base))
    for name in ("vocab_size", "hidden_size", "num_hidden_layers"):
        if wanted.get(name, found.get(name)) != found.get(name):
            raise _different(base, f"config.json says {name} {found.get(name)}, not {wanted.get(name)}")
    config = AutoConfig.from_pretrained(folder)
    ours, theirs = (AutoTokenizer.from_pretrained(at) for at in (folder, base))
    if ours.encode(_PROBE) != theirs.encode(_PROBE) or ours.chat_template != theirs.chat_template:
        raise _different(base, "its tokenizer gives other tokens, or has another chat template")
    if (folder / "generation_config.json").is_file():
        GenerationConfig.from_pretrained(folder)
    _, loading = AutoModelForCausalLM.from_pretrained(
        folder, config=config, device_map="meta", output_loading_info=True, use_safetensors=True
    )
    lost = sorted({*loading["missing_keys"], *(name for name, *_ in loading["mismatched_keys"])})
    if lost:
        raise _different(base, f"{len(lost)} weights are missing or of another shape ({lost[0]})")


def _write(folder: Path, learner: Learner, *, base: str) -> None:
    from orz_rl.training.checkpoint import copy_tokenizer

    for name, group in learner.groups.items():
        target = folder / name
        target.mkdir(parents=True)
        group.save_model(target).results()
        copy_tokenizer(base, target)


def _different(base: str, what: str) -> ConfigError:
    return ConfigError(f"{base}: saved and read again, the policy is another model: {what}. Use another base model.")


def _refused(base: str, error: Exception) -> ConfigError:
    reason: Any = " ".join(str(error).split())[:400] or type(error).__name__
    return ConfigError(
        f"{base}: a checkpoint of it cannot be written and read again ({reason}), which is found before training "
        f"starts. Mend its config.json, generation_config.json or tokenizer files."
    )
