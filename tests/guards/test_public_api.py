"""What is public is listed, documented and typed, and nothing in a package's root hides it."""

from __future__ import annotations

import inspect
import re
from importlib import import_module

import pytest

from orz_bench.api import option_names
from orz_bench.commands.contamination import ContaminationOptions
from orz_bench.commands.probing import NeedOptions
from orz_bench.evaluation.options import EvalOptions
from tests.guards.tree import PROJECT

PAGE = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
PUBLIC = ("orz_bench", "orz_rl", "analysis")


@pytest.mark.parametrize("package", PUBLIC)
def test_every_public_name_is_there_and_documented(package: str) -> None:
    module = import_module(package)
    for name in module.__all__:
        found = getattr(module, name)
        assert (found.__doc__ or "").strip(), f"{package}.{name} has no docstring"
        assert f"`{package}.{name}" in PAGE, f"docs/api.md lacks {package}.{name}"
    documented = set(re.findall(rf"^\| `{package}\.(\w+)", PAGE, flags=re.MULTILINE))
    assert documented == set(module.__all__)


@pytest.mark.parametrize("package", PUBLIC)
def test_parameters_are_documented(package: str) -> None:
    module = import_module(package)
    for name in module.__all__:
        found = getattr(module, name)
        if inspect.isfunction(found):
            (line,) = re.findall(rf"^\| `{package}\.{name}\(([^)]*)\)", PAGE, flags=re.MULTILINE)
            assert re.findall(r"\w+", line) == list(inspect.signature(found).parameters)


@pytest.mark.parametrize("package", PUBLIC)
def test_no_room_has_the_name_of_something_public(package: str) -> None:
    rooms = {path.stem for path in (PROJECT / package).iterdir()}
    assert not rooms & set(import_module(package).__all__)


@pytest.mark.parametrize("package", PUBLIC)
def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = import_module(package).no_such_name


@pytest.mark.parametrize(
    ("name", "group", "internal"),
    [
        ("probe", NeedOptions, {"ckpt"}),
        ("check_contamination", ContaminationOptions, {"bench", "fresh", "out"}),
    ],
)
def test_every_option_of_an_analysis_is_documented(name: str, group: type[object], internal: set[str]) -> None:
    (line,) = re.findall(rf"^\| `orz_bench\.{name}\(.*$", PAGE, flags=re.MULTILINE)
    (engines,) = re.findall(r"^Those of an engine, for .*?: (.*)$", PAGE, flags=re.MULTILINE)
    own = set(re.findall(r"`(\w+)`", line.rsplit("`**options`", 1)[1])) | set(re.findall(r"`(\w+)`", engines))
    assert own == set(option_names(group)) - internal - {"sleeps"}


def test_every_option_of_an_evaluation_is_documented() -> None:
    internal = {"checkpoint", "benchmarks", "out", "sleeps"}
    documented = set(re.findall(r"`(\w+)`", PAGE.split("`**options` of `evaluate`")[1].split("## orz_rl")[0]))
    assert set(option_names(EvalOptions)) - internal == documented
