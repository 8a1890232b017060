"""The same behaviours on a GPU. Skipped where there is none: nobody has run these yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.environment import has_gpu
from tests.support.command_line import orz_bench, results_of, rows_of

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.real_model,
    pytest.mark.skipif(not has_gpu(), reason="this machine has no GPU"),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "smollm2-135m"
    orz_bench("model", "fetch", "smollm2-135m", "--out", folder)
    return folder


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_an_evaluation_resumes_and_grows(checkpoint: Path, tmp_path: Path, engine: str) -> None:
    wanted: list[str | Path] = [
        "eval",
        "--ckpt",
        checkpoint,
        "--engine",
        engine,
        "--bench",
        "arithmetic",
        "--limit",
        "10",
        "--json",
    ]
    wanted += ["--template", "few-shot", "--extractor", "boxed", "--stop", "Problem:", "--max-tokens", "80"]
    (first,) = results_of(orz_bench(*wanted, "--n", "2", "--out", tmp_path))
    (more,) = results_of(orz_bench(*wanted, "--n", "4", "--out", tmp_path))
    assert (first["num_generated_now"], more["num_generated_now"]) == (20, 20)
    assert len({row[3] for row in rows_of(tmp_path)}) == 40


def test_one_engine_a_gpu_over_ray(checkpoint: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.device_count() < 2:
        pytest.skip("this machine has one GPU")
    wanted = (
        "eval",
        "--ckpt",
        checkpoint,
        "--engine",
        "vllm",
        "--bench",
        "arithmetic",
        "--n",
        "4",
        "--max-tokens",
        "64",
    )
    orz_bench(*wanted, "--out", tmp_path, "--num-engines", "2")
    assert len(rows_of(tmp_path)) == 400
