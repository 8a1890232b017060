"""vLLM's compiled part that cannot be loaded: the library is named, and what to install."""

from __future__ import annotations

import importlib

import pytest

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.vllm.engine import _start_failure
from orz_bench.engines.vllm.library import missing_library


def _fails(monkeypatch: pytest.MonkeyPatch, error: ImportError) -> None:
    def load(name: str) -> object:
        assert name == "vllm._C"
        raise error

    monkeypatch.setattr(importlib, "import_module", load)


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (
            ImportError("libnuma.so.1: cannot open shared object file: No such file or directory"),
            "libnuma.so.1 (Debian and Ubuntu: apt-get install libnuma1)",
        ),
        (ImportError("libother.so.3: cannot open shared object file: No such file or directory"), "libother.so.3"),
        (ImportError("dynamic module does not define module export function (PyInit__C)"), None),
        (ModuleNotFoundError("No module named 'vllm._C'"), None),
    ],
)
def test_what_the_loader_misses(monkeypatch: pytest.MonkeyPatch, error: ImportError, named: str | None) -> None:
    _fails(monkeypatch, error)
    assert missing_library() == named


def test_the_failure_says_what_to_install_not_which_symbol_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    _fails(monkeypatch, ImportError("libnuma.so.1: cannot open shared object file: No such file or directory"))
    symbol = AttributeError("'_OpNamespace' '_C' object has no attribute 'init_cpu_memory_env'")
    spec = EngineSpec(name="vllm", checkpoint="models/x")
    text = _start_failure(spec, symbol, gpu=False)
    assert "models/x: vllm cannot start, because its compiled part needs a library" in text
    assert "apt-get install libnuma1" in text
    assert "_OpNamespace" not in text
