"""Seeds depend on what is drawn and on nothing else."""

from __future__ import annotations

from orz_bench.seeds import sample_seed, stage_seed


def seed(**changes: object) -> int:
    facts: dict[str, object] = {"step": 0, "benchmark": "aime24", "problem_id": "p", "sample_index": 0}
    merged = facts | changes
    return sample_seed(int(str(merged.pop("run_seed", 42))), **merged)  # type: ignore[arg-type]


def test_every_part_of_the_identity_changes_the_seed() -> None:
    seeds = {
        seed(),
        seed(run_seed=43),
        seed(step=1),
        seed(benchmark="aime25"),
        seed(problem_id="q"),
        seed(sample_index=1),
    }
    assert len(seeds) == 6


def test_many_samples_never_share_a_seed() -> None:
    assert len({seed(sample_index=index) for index in range(10_000)}) == 10_000


def test_the_values_are_fixed_for_ever() -> None:
    assert seed() == 70454989103716


def test_seeds_fit_every_engine() -> None:
    assert all(0 <= seed(sample_index=index) < 2**48 for index in range(1000))


def test_every_continuation_of_a_sample_has_a_seed_of_its_own() -> None:
    seeds = [stage_seed(of, stage=stage, branch=branch) for of in (1, 2) for stage in range(50) for branch in range(50)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= one < 2**48 for one in seeds)
    assert stage_seed(7, stage=1) == stage_seed(7, stage=1, branch=0) == 49538997561187
