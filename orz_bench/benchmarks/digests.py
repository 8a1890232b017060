"""Digests that identify problems: of a whole benchmark, and of one question under any id."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence

from orz_bench.records.rollout import Problem


def data_hash(problems: Sequence[Problem]) -> str:
    """SHA-256 of all questions and gold answers."""
    digest = hashlib.sha256()
    for problem in problems:
        identity = [problem.problem_id, problem.question, problem.gold, problem.kind, problem.num_choices]
        identity += [problem.examples] if problem.examples else []
        digest.update(json.dumps(identity, ensure_ascii=True).encode() + b"\n")
    return digest.hexdigest()


def question_sha256(question: str) -> str:
    """SHA-256 of a question without its white space: how errata find their problem."""
    return hashlib.sha256(re.sub(r"\s+", "", question).encode()).hexdigest()
