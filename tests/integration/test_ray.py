"""Two engines over a local Ray give the rows of one, also when one of them is killed on the way."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

import pytest

from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.local import open_local
from orz_bench.engines.registry import make_spec
from orz_bench.engines.tokenizer import load_tokenizer
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request
from tests.support.builders import a_problem, a_request
from tests.support.tiny_model import a_tiny_checkpoint

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore::FutureWarning:ray.*", "ignore::ResourceWarning", "ignore::DeprecationWarning:ray.*"
    ),
]

SAMPLING = Sampling(max_tokens=80)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> EngineSpec:
    checkpoint = str(a_tiny_checkpoint(tmp_path_factory.mktemp("tiny")))
    return make_spec(name="transformers", checkpoint=checkpoint, dtype="float32", batch_size=4, num_engines=2)


@pytest.fixture(scope="module")
def requests(spec: EngineSpec) -> list[Request]:
    tokenizer = load_tokenizer(spec)
    assert tokenizer is not None
    prompts = [f"What is {i} + {i}?" for i in range(12)]
    return [
        a_request(
            problem=a_problem(problem_id=f"p{i}"),
            sample_index=index,
            seed=100 * i + index,
            prompt_token_ids=tokenizer.encode(prompt),
        )
        for i, prompt in enumerate(prompts)
        for index in range(8)
    ]


@pytest.fixture(scope="module")
def alone(spec: EngineSpec, requests: list[Request]) -> list[Completion]:
    return in_order(open_local(spec).generate(requests, SAMPLING))


def in_order(lists: Iterator[list[Completion]]) -> list[Completion]:
    return sorted((completion for some in lists for completion in some), key=lambda completion: completion.key)


def test_engines_give_the_rows_of_one_also_when_some_are_killed(
    spec: EngineSpec, requests: list[Request], alone: list[Completion], caplog: pytest.LogCaptureFixture
) -> None:
    import ray

    from orz_bench.engines.ray.pool import RayPool

    pool = RayPool(spec)
    try:
        victim, other = pool.process_ids
        assert victim != other
        assert not idle_processes()
        assert in_order(pool.generate(requests, SAMPLING)) == alone
        # A second benchmark on the same engines, with another sampling.
        greedy = Sampling(temperature=0.0, max_tokens=5)
        assert {c.num_tokens for c in in_order(pool.generate(requests[:8], greedy))} <= set(range(1, 6))

        stream = pool.generate(requests, SAMPLING)
        with caplog.at_level(logging.WARNING):
            first = next(stream)
            os.kill(victim, signal.SIGKILL)
            found = in_order(chain([first], stream))
        assert found == alone
        assert "an engine died" in caplog.text

        os.kill(other, signal.SIGKILL)
        with pytest.raises(EngineError, match="every engine has died"):
            in_order(pool.generate(requests, SAMPLING))
    finally:
        pool.close()
    assert not ray.is_initialized()


def test_what_engines_have_not_finished_goes_on_wherever_it_was_drawn(
    spec: EngineSpec, requests: list[Request], alone: list[Completion], tmp_path: Path
) -> None:
    """Interrupted after every list, with another engine for the rest each time, and one killed on the way."""
    import ray

    from orz_bench.engines.ray.pool import RayPool
    from orz_bench.engines.ray.session import end_ray, start_ray
    from orz_rl.workers.engine_actor import TrainedEngineActor

    start_ray()
    try:
        trained = replace(spec, num_engines=1, keep_tokens=True)
        remote = ray.remote(TrainedEngineActor).options(num_cpus=0.5)
        actors = [remote.remote(trained, str(tmp_path / f"engine-{number}.log")) for number in range(2)]
        pool = RayPool(spec, actors)
        victim, _ = pool.process_ids
        found, open_, turns = list[Completion](), list(requests), 0
        while open_:
            waiting, ends = iter(open_), iter([False] * (3 + turns))
            more, unfinished = drained(pool.draw(waiting, SAMPLING, until=partial(next, ends, True)))
            found, open_ = found + more, [*unfinished, *waiting]
            turns += 1
            if turns == 2:
                os.kill(victim, signal.SIGKILL)
        assert turns > 3
        assert len(pool.actors) == 1
        assert sorted(each.key for each in found) == sorted(each.key for each in requests)
        texts = {each.key: (each.text, each.num_tokens, each.stop_reason) for each in found}
        assert texts == {each.key: (each.text, each.num_tokens, each.stop_reason) for each in alone}
        pool.close()
    finally:
        end_ray([])


def drained(stream: Generator[list[Completion], None, list[Request]]) -> tuple[list[Completion], list[Request]]:
    """All completions, and what is returned."""
    found = list[Completion]()
    while True:
        try:
            found += next(stream)
        except StopIteration as end:
            return found, end.value


def idle_processes() -> list[int]:
    """Processes that the raylet which this process started has started for nothing."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if (folder / "cmdline").read_bytes().startswith(b"ray::IDLE") and parent(
                parent(int(folder.name))
            ) == os.getpid():
                found.append(int(folder.name))
    return found


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture
def folder_of_a_dead_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ray keeps the address of the last cluster of a machine; it would wait for minutes for a dead one."""
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short, for it holds sockets
    (folder / "ray").mkdir()
    (folder / "ray" / "ray_current_cluster").write_text("127.0.0.1:1", encoding="utf-8")
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.usefixtures("folder_of_a_dead_cluster")
def test_a_pool_leaves_a_ray_running_that_it_joined_and_a_dead_cluster_is_not_joined(
    spec: EngineSpec, tmp_path: Path
) -> None:
    """Of more engines than there are cores, and of a model that does not load; the start of a Ray takes seconds."""
    import ray

    from orz_bench.engines.ray.pool import RayPool
    from orz_bench.engines.ray.session import end_ray, start_ray

    start_ray()
    try:
        assert ray.is_initialized()
        with pytest.raises(EngineError, match=r"--num-engines 999 needs 999 CPUs, but Ray has \d+; lower"):
            RayPool(replace(spec, num_engines=999))
        with pytest.raises(EngineError, match="an engine did not start"):
            RayPool(replace(spec, checkpoint=str(tmp_path), num_engines=1))
        assert ray.is_initialized()
    finally:
        end_ray()
