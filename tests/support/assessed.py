"""Made-up values of a critic beside the rollouts of a run."""

from __future__ import annotations

from orz_bench.records.arrays import logprobs, token_ids
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_bench.records.values import CriticCard, TokenValues, ValuesDir

CRITIC = "waaaaaaaaaaaaaaa"


def assess_all(run: RunDir, digest: str = CRITIC) -> RunDir:
    """Values for all training rollouts."""
    for _, folder in run.sampled_steps():
        assess(folder, digest)
    return run


def assess(folder: RolloutsDir, digest: str = CRITIC, *, num: int | None = None) -> ValuesDir:
    """Values of a critic that knows the outcome a little: 0.8 or 0.4 from the middle on, 0.6 before.

    `num`: only of so many rollouts.
    """
    values = ValuesDir.beside(folder, digest)
    values.open(CriticCard(digest=digest, dtype="float32", format="orz", path="critic"))
    rows = folder.read(["problem_id", "sample_index", "completion", "verdict"]).to_pylist()
    values.append([_row(row) for row in rows[:num]])
    return values


def _row(row: dict[str, object]) -> TokenValues:
    text = str(row["completion"])
    later = 0.8 if row["verdict"] == "correct" else 0.4
    return TokenValues(
        problem_id=str(row["problem_id"]),
        sample_index=int(str(row["sample_index"])),
        values=logprobs([0.6 if at < len(text) / 2 else later for at in range(len(text))]),
        char_ends=token_ids(list(range(1, len(text) + 1))),
        token_ids=token_ids([ord(char) for char in text]),
    )
