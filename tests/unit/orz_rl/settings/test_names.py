"""No message of training names an option that only orz-bench has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import orz_bench
from orz_bench.engines.describe import max_model_len
from orz_bench.engines.engine import EngineSpec
from orz_bench.errors import ConfigError, RunDirError
from orz_rl.assets.resolve import TINY, resolve_model
from orz_rl.recipes.registry import leaves
from orz_rl.settings.names import SETTINGS, names_settings, reworded

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OF_BOTH = {"--out", "--data-dir", "--fresh"}
ROOMS = ("asking", "benchmarks", "engines", "evaluation/evaluate.py", "evaluation/recorder.py", "extraction", "grading",
         "models", "records")  # fmt: skip
"""What a training uses of orz_bench."""
ONLY_EVALUATED = {
    "--tokenizer": "of a model that is known by its name on a server",
    "--base-url": "of a server",
    "--template-args": "not an option of a training",
    "--revision": "not an option of a training",
    "--concurrency": "of a server",
    "--endpoint": "of a server",
    "--critic": "of values of what is stored",
    "--samples-per-request": "of a server",
    "--price-in": "of a server",
    "--price-out": "of a server",
    "--tags": "of the detectors of stored behaviours",
    "--step-column": "of other tools' curves",
    "--head": "an option of ray",
    "--local-dir": "an option of hf",
    "--repo-type": "an option of hf",
}


def messages() -> Iterator[tuple[str, str]]:
    """(place, text) of every literal with an option in it; placeholders become a word."""
    root = Path(orz_bench.__file__).parent
    places = [root / name for name in ROOMS]
    paths = [path for place in places for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    paths = [path for path in paths if path.parent.name != "openai" and path.name != "messages.py"]  # of servers
    nodes = [(path, node) for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    for path, text in ((path, text) for path, node in nodes if isinstance(node, ast.Raise) for text in literals(node)):
        if OPTION.search(text):
            yield f"{path.relative_to(root)}: {text}", text


def literals(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "WORD" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


def test_every_message_that_training_can_meet_names_settings() -> None:
    found = list(messages())
    assert len(found) >= 15
    left = {
        place: (option, reworded(text))
        for place, text in found
        for option in OPTION.findall(reworded(text))
        if option not in OF_BOTH and option not in ONLY_EVALUATED
    }
    assert left == {}


def test_every_setting_of_the_table_exists() -> None:
    assert set(SETTINGS.values()) <= {name for name, _ in leaves()}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("--ckpt a/b/c: no such file", "model.policy=a/b/c: no such file"),
        ("use --engine vllm or transformers.", "use rollout.engine=vllm or transformers."),
        ("--num-engines draws samples", "rollout.num_engines draws samples"),
        ("--num-engines 4 needs 4 GPUs", "rollout.num_engines=4 needs 4 GPUs"),
        ("Use --template orz-code, plain or few-shot", "Use data.template=orz-code, plain or few-shot"),
        ("choose another folder with --out, or another --step.", "choose another folder with --out."),
        ("a -- b and --data-dir stay", "a -- b and --data-dir stay"),
    ],
)
def test_options_become_settings(text: str, wanted: str) -> None:
    assert reworded(text) == wanted


def test_a_model_that_is_not_there_is_named_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^model\.policy=no/such/folder: no such file"):
        resolve_model("no/such/folder")
    with pytest.raises(ConfigError, match=r"^model\.critic=no/such/folder: no such file"):
        resolve_model("no/such/folder", setting="model.critic")


def test_an_error_stays_the_same_error() -> None:
    error = RunDirError("raise --max-model-len")

    @names_settings
    def fails() -> None:
        raise error

    with pytest.raises(RunDirError, match=r"^raise rollout\.max_model_len$") as caught:
        fails()
    assert caught.value is error


def test_a_context_that_is_too_long_says_what_it_follows_from() -> None:
    spec = EngineSpec(name="transformers", checkpoint=str(TINY), dtype="float32", max_model_len=10**6)
    with pytest.raises(ConfigError, match=r"rollout\.max_model_len \(without it, data\.max_prompt_tokens"):
        names_settings(max_model_len)(spec)
