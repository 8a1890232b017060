"""A curated file is training data as it is, with the variants of a recipe for its size and its language."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orz_rl.api import configure
from orz_rl.curation.pipeline import curate
from orz_rl.curation.settings import checked
from orz_rl.rollout.problems import read_problems, select_problems
from tests.support.curation_rows import write_lines


@pytest.mark.parametrize(
    ("variants", "languages"),
    [
        (["curated"], {"en", "fr", "ru"}),
        (["curated", "english_only"], {"en", "fr"}),  # by letters alone
        (["curated_english"], {"en"}),
    ],
)
def test_variants_choose_what_is_trained_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variants: list[str], languages: set[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"en-{n}", "problem": f"How many days do {n} weeks have?", "answer": str(7 * n)} for n in range(6)]
    rows += [{"id": f"ru-{n}", "problem": f"Сколько будет {n} плюс {n}?", "answer": str(2 * n)} for n in range(3)]
    rows += [
        {"id": f"fr-{n}", "problem": f"Combien de jours dans {n} semaines de vacances ?", "answer": str(7 * n)}
        for n in range(3)
    ]
    source = str(write_lines(tmp_path / "rows.jsonl", rows))
    for name, keep in (("orz-mix", "any"), ("orz-mix-english", "english")):
        tree = {"sources": [{"path": source}], "decontaminate": None, "verify": None, "language": {"keep": keep}}
        curate(checked(tree, where="test"), out=tmp_path / "data" / name, notice=lambda _: None)
    config = configure("tiny", variants=variants)
    problems = read_problems(config.data.source)
    chosen = select_problems(problems, limit=config.data.limit, language=config.data.language)
    assert {problem.problem_id.partition("-")[0] for problem in chosen} == languages
    lines = (tmp_path / config.data.source[0]).read_text(encoding="utf-8").splitlines()
    wanted = [json.loads(line)["id"] for line in lines]
    assert [problem.problem_id for problem in chosen] == [
        id_ for id_ in wanted if id_.partition("-")[0] in languages
    ], "in the file's order, so that the first N are a random sample"
    assert configure("tiny", variants=[*variants, "data_1k"]).data.limit == 1000
