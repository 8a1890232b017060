"""3,000 real responses: the counts of orz-code are those of its regexes, and everything else holds together."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from analysis.texts.answer_changes import count_answer_changes
from analysis.texts.features import response_features
from analysis.texts.lexicons import get_lexicon
from analysis.texts.outcomes import outcome_effect
from orz_bench.extraction.responses import keeps_format
from tests.support.shared_data import shared_data


@pytest.fixture(scope="module")
def batch() -> pd.DataFrame:
    path = shared_data() / "rollouts" / "orz_fork_eval_math500.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return pd.DataFrame(
        {
            "step": 0,
            "benchmark": "math500",
            "problem_id": [str(row["index"]) for row in rows],
            "question": [row["prompt"] for row in rows],
            "gold": [row["expected"] for row in rows],
            "completion": [row["raw_response"] for row in rows],
            "extracted": [row["generated_answer"] for row in rows],
            "verdict": ["correct" if row["is_match"] else "wrong" for row in rows],
        }
    )


def test_orz_code_counts_as_a_direct_use_of_its_regexes(batch: pd.DataFrame) -> None:
    features = response_features(batch, get_lexicon("orz-code"))
    patterns = {"wait": r"wait,", "recheck": r"recheck[,\s]", "retry": r"retry",
                "alternatively": r"alternatively,", "however": r"however,"}  # fmt: skip
    direct = {name: [len(re.findall(p, text)) for text in batch["completion"]] for name, p in patterns.items()}
    assert len(features) == 3000
    assert features["reflections_raw"].tolist() == [sum(counts) for counts in zip(*direct.values(), strict=True)]
    # No response here holds code or quotes a reflection of its question.
    assert {name: features[f"pattern:{name}"].tolist() for name in patterns} == direct
    assert features["reflections"].sum() > 50


def test_orz_paper_finds_many_more(batch: pd.DataFrame) -> None:
    features = response_features(batch, get_lexicon("orz-paper"))
    wanted = [len(re.findall(r"(?i)wait,|recheck|retry|alternatively,|however,", text)) for text in batch["completion"]]
    assert features["reflections_raw"].tolist() == wanted
    assert features["reflects"].sum() > 200


def test_format_is_that_of_one_regex(batch: pd.DataFrame) -> None:
    untagged = r"(?:(?!</?think>|</?answer>).)*"
    form = re.compile(rf"{untagged}</think>\s*<answer>{untagged}</answer>\s*", re.DOTALL)
    texts = batch["completion"].tolist()
    assert [keeps_format(text) for text in texts] == [form.fullmatch(text) is not None for text in texts]


def test_changes_and_outcomes_add_up(batch: pd.DataFrame) -> None:
    features = response_features(batch, get_lexicon("extended"))
    changes, effect = count_answer_changes(features), outcome_effect(features)
    assert sum(changes.counts.values()) == changes.num_reflecting == effect.num_reflecting == features["reflects"].sum()
    # Six responses a question: those that reflect are wrong more often, mostly because their questions are harder.
    assert effect.raw is not None
    assert effect.matched is not None
    assert effect.raw.estimate < effect.matched.estimate - 0.1 < 0
