"""Frames for analysis, with what matters set: a_batch(["wait, 3"], verdict="wrong"), some_features(reflects=[...])."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.texts.features import response_features
from analysis.texts.lexicons import get_lexicon


def a_batch(completions: Sequence[str], **columns: Any) -> pd.DataFrame:
    """Rollouts of one step and problem; a column is one value for all or a list."""
    facts: dict[str, Any] = {
        "step": 1,
        "benchmark": "arithmetic",
        "problem_id": "p0",
        "sample_index": np.arange(len(completions)),
        "question": "What is 1 + 1?",
        "gold": "2",
        "num_tokens": 10,
        "stop_reason": "stop_string",
        "extracted": "2",
        "verdict": "correct",
        "reward": 1.0,
    }
    return pd.DataFrame({"completion": list(completions)}).assign(**facts | columns)


def some_features(completions: Sequence[str], *, lexicon: str = "orz-code", **columns: Any) -> pd.DataFrame:
    """The features of such a batch."""
    return response_features(a_batch(completions, **columns), get_lexicon(lexicon))
