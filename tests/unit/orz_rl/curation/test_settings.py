"""The settings of a curation: all faults together, with the nearest name."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_rl.curation.settings import from_sources, limited_to, read_settings
from orz_rl.curation.synthetic import check


def _file(folder: Path, text: str) -> Path:
    path = folder / "curate.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    text = """
sources:
  - {path: a.jsonl, name: a, licence: MIT}
  - path: b.jsonl
seed: 7
language: {keep: english}
near: null
select:
  conditions:
    - {column: level, min: 2}
mix: {weights: {a: 2, b: 1}, total: 300}
"""
    found = read_settings(_file(tmp_path, text))
    assert [each.licence for each in found.sources] == ["MIT", "not stated"]
    assert found.near is None
    assert found.verify is not None
    assert found.mix is not None
    assert found.mix.weights == {"a": 2.0, "b": 1.0}


def test_the_example_is_read() -> None:
    found = read_settings(Path(__file__).parents[4] / "examples" / "orz-mix.yaml")
    assert [source.name for source in found.sources][:2] == ["orz-57k", "orz-72k"]
    for source in found.sources[2:]:
        check(source)


def test_all_faults_are_reported_with_the_nearest_name(tmp_path: Path) -> None:
    text = "sources: [{path: a.jsonl, licnce: MIT}]\nnear: {similarity: 2}\nsed: 1\n"
    with pytest.raises(ConfigError) as caught:
        read_settings(_file(tmp_path, text))
    message = str(caught.value)
    assert "licnce is unknown" in message
    assert "'licence'" in message
    assert "near.similarity (2)" in message
    assert "sed is unknown" in message
    assert "'seed'" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "wanted settings by name"),
        ("a: [", "cannot be read as YAML"),
        ("sources: []", "sources"),
        ("sources: [{path: a.jsonl, name: x}, {path: b.jsonl, name: x}]", "two sources are called 'x'"),
        ("sources: [{path: a.jsonl}]\ndecontaminate: {drop_overlap: 0.4}", "list_overlap 0.5 is above"),
        ("sources: [{path: a.jsonl}]\npass_rate: {min: 0.5, max: 0.4}", "pass_rate.min 0.5 is above max"),
        ("sources: [{path: a.jsonl, sha256: abc}]", "sources.0.sha256"),
    ],
)
def test_what_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(_file(tmp_path, text))
    assert message in str(caught.value)


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        read_settings(tmp_path / "none.yaml")


def test_decontamination_is_limited_by_names() -> None:
    found = limited_to(from_sources(["a.jsonl"]), "math500,aime24")
    assert found.decontaminate is not None
    assert found.decontaminate.against == ("math500", "aime24")
