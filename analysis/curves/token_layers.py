"""Add to a study which tokens its training learned from."""

from __future__ import annotations

from dataclasses import replace

from analysis.curves.study import Study
from analysis.tokens.layer import token_layer
from orz_bench.errors import OrzError

MOST_STEPS = 10


def with_tokens(study: Study) -> Study:
    """The study with the token layer of ten of its steps, where they have entropies and are long enough."""
    if study.run.kind != "train":
        return study
    try:
        return replace(study, tokens=token_layer(study.run.path, most_steps=MOST_STEPS))
    except OrzError:
        return study
