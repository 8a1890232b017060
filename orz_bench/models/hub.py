"""Fetch a model from the hub: the folder with all files that an engine or a tokenizer reads, none of them a pickle."""

from __future__ import annotations

import re
from pathlib import Path

from orz_bench.errors import ConfigError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.tiktoken", "vocab.bpe")


def fetch_model(name: str, *, revision: str | None = None, of: Path | None = None) -> Path:
    """The folder of a hub model, at a revision, or of the base model `of` an adapter.

    Raises ConfigError if the name is no hub id, or the hub does not give it.
    """
    if revision is not None and Path(name).exists():
        raise ConfigError(f"--revision {revision}: {name} is a folder, which has no revisions; leave the option out.")
    if not _HUB_ID.fullmatch(name):
        if of is not None:
            raise ConfigError(
                f"{of}: its base model {name} is neither a folder here nor a hub id (OWNER/NAME); write where it is as "
                f"base_model_name_or_path in {of / 'adapter_config.json'}."
            )
        raise ConfigError(
            f"--ckpt {name}: no such file or folder, and no hub id (OWNER/NAME). Wanted a Hugging Face checkpoint "
            f"folder, a hub id such as Qwen/Qwen2.5-7B, or a run directory of orz-rl."
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_FILES)))
    except Exception as error:  # the client raises anything; the user needs a remedy
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        what = f"--ckpt {name}: no such folder, and" if revision is None else f"--ckpt {name} --revision {revision}:"
        raise ConfigError(
            f"{what} the hub did not give it ({reason}). Check the name and the network, log in for a gated model, or "
            f"name a local folder."
        ) from error
