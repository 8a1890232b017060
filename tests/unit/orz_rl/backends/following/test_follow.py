"""The follower: whatever arrives when, resumed trainings, logs that start anew; and it only reads what it follows."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import DataError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.following.follow import Followed, follow, watch
from tests.support import followed as made
from tests.support.followed import Watched, contents, write


def _verl_files() -> dict[str, str]:
    """Two attempts in the console, and a file logger that has only the second."""
    lines = [made.verl_line(step, old=1.0) for step in (1, 2, 3, 4)]
    lines += [made.verl_line(step) for step in (3, 4, 5)]
    rows = [made.verl_file_row(step, only_here=step) for step in (3, 4, 5)]
    console = "started\n" + "chatter é\n".join(lines) + "Final validation metrics: None\n"
    dumps = {f"rollouts/{step}.jsonl": made.verl_dump(step) for step in (1, 2, 3, 4, 5)}
    return {"train.log": console, "exp.jsonl": "".join(rows), "val/4.jsonl": made.verl_dump(4)} | dumps


def _trl_files() -> dict[str, str]:
    return {
        "train.log": made.trl_bar(0) + "".join(map(made.trl_line, (1, 2, 3, 4))),
        "checkpoint-2/trainer_state.json": made.trl_state([1, 2]),
        "checkpoint-4/trainer_state.json": made.trl_state([1, 2, 3, 4]),
    }


def _prime_files() -> dict[str, str]:
    rows = [
        made.prime_rows(step, writer)
        for step, writer in (
            (1, "orchestrator"),
            (2, "orchestrator"),
            (1, "trainer"),
            (3, "orchestrator"),
            (2, "trainer"),
            (3, "trainer"),
        )
    ]
    episodes = "".join(json.dumps(made.an_episode(2, number)) + "\n" for number in range(3))
    folder = "rollouts/step_2/train"
    return {
        "metrics.jsonl": "".join(rows),
        f"{folder}/all/traces.jsonl": episodes,
        f"{folder}/effective/traces.jsonl": episodes,
    }


def _two_logs() -> dict[str, str]:
    """As _verl_files, but each attempt has a log of its own."""
    files = _verl_files()
    before, _, after = files.pop("train.log").rpartition("old:1.0\n")
    return files | {"first.log": f"{before}old:1.0\n", "another.log": after}


FILES = {
    "verl": _verl_files(),
    "verl with two logs": _two_logs(),
    "trl": _trl_files(),
    "prime-rl": _prime_files(),
}


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a run gets of each training when it is there from the start."""
    found = {}
    for tool, files in FILES.items():
        folder = tmp_path_factory.mktemp(tool)
        for name, content in files.items():
            write(folder / "t" / name, content)
        with Watched(tool.split()[0], folder / "t", folder / "run") as watched:
            watched.rounds(is_last=True)
            found[tool] = contents(watched.run)
    return found


def _arrivals(files: dict[str, str], rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """Pieces of the files, in any order between files, cut at any byte."""
    left = {name: content.encode() for name, content in files.items()}
    while left:
        name = rng.choice(sorted(left))
        size = rng.choice([1, 7, len(left[name]) // 2, len(left[name])])
        yield name, left[name][:size]
        left[name] = left[name][size:]
        left = {name: content for name, content in left.items() if content}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("tool", FILES)
def test_the_run_is_the_same_however_the_files_arrive(
    tmp_path: Path, at_once: dict[str, dict[str, Any]], tool: str, seed: int
) -> None:
    rng = random.Random(seed)
    with Watched(tool.split()[0], tmp_path / "t", tmp_path / "run") as watched:
        (tmp_path / "t").mkdir()
        for name, piece in _arrivals(FILES[tool], rng):
            write(tmp_path / "t" / name, piece)
            if rng.random() < 0.3:
                watched.rounds(rng.randrange(1, 3))
                assert len(watched.steps()) == len(set(watched.steps())), "a row was written twice"
            if rng.random() < 0.1:
                watched.restart()
        watched.rounds(is_last=True)
        assert contents(watched.run) == at_once[tool]


def test_what_it_reads_of_a_resumed_training(at_once: dict[str, dict[str, Any]]) -> None:
    assert at_once["verl"] == at_once["verl with two logs"]
    rows, num_torn = at_once["verl"]["metrics"]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row.get("verl/old") for row in rows] == [1.0, 1.0, None, None, None]
    assert [row.get("verl/only_here") for row in rows] == [None, None, 3.0, 4.0, 5.0]
    assert num_torn == 0
    assert list(at_once["verl"]["rollouts"]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_file_logger_that_starts_anew(tmp_path: Path, is_killed: bool) -> None:
    """verl's opens its file for writing: the rows of the attempt before are only in the run."""
    log = tmp_path / "t/exp.jsonl"
    write(log, "".join(made.verl_file_row(step, old=1) for step in (1, 2, 3, 4, 5)))
    for step in (1, 2, 3, 4, 5):
        write(tmp_path / f"t/rollouts/{step}.jsonl", made.verl_dump(step))
    with Watched("verl", tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds(2)
        assert (watched.steps(), watched.sampled()) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])
        if is_killed:
            watched.restart()
        write(log, made.verl_file_row(2) + made.verl_file_row(3), mode="w")
        write(tmp_path / "t/rollouts/2.jsonl", made.verl_dump(2).replace("step 2", "again"), mode="w")
        watched.rounds(2)
        assert watched.steps() == [1, 2, 3]
        assert watched.curve("verl/old").keys() >= {1}
        assert watched.sampled() == [1, 2, 3], "rollouts of steps that training went back before"
        assert watched.rollouts(2)[0]["completion"].startswith("again")
        assert any("go back" in text for text in watched.notices)
        assert is_killed or any("started anew" in text for text in watched.notices)
        write(log, made.verl_file_row(4) + made.verl_file_row(5))
        watched.rounds(is_last=True)
        assert watched.steps() == [1, 2, 3, 4, 5]
        assert watched.sampled() == [1, 2, 3, 4, 5]


def test_a_rotated_log_loses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "t/train.log"
    write(log, made.verl_line(1) + made.verl_line(2))
    with Watched("verl", tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds()
        write(log, made.verl_line(3))
        log.rename(tmp_path / "t/train.log.1")
        write(log, made.verl_line(4))
        assert watched.rounds(is_last=True).steps() == [1, 2, 3, 4]
    with Watched("verl", tmp_path / "t", tmp_path / "late") as watched:
        assert watched.rounds(is_last=True).steps() == [1, 2, 3, 4]


def test_a_broken_row_is_left_out_and_said(tmp_path: Path) -> None:
    write(tmp_path / "t/1.jsonl", made.verl_dump(1) + "no row\n" + made.verl_dump(1, output=None))
    write(tmp_path / "t/exp.jsonl", made.verl_file_row(1) + "no row\n" + made.verl_file_row(2))
    with Watched("verl", tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds(is_last=True)
        assert len(watched.rollouts(1)) == 4
        assert watched.steps() == [1, 2]
        assert sum("1.jsonl, line" in text for text in watched.notices) == 5
        assert sum("exp.jsonl: a line" in text for text in watched.notices) == 1


def test_two_logs_of_two_trainings(tmp_path: Path) -> None:
    write(tmp_path / "t/a.log", made.verl_line(1) + made.verl_line(2))
    write(tmp_path / "t/b.log", made.verl_line(1, **{"critic/score/mean": 0.5}))
    with (
        Watched("verl", tmp_path / "t", tmp_path / "run") as watched,
        pytest.raises(DataError, match=r"two logs start at step 1: .*a\.log \(.* 0\.1\) and .*b\.log \(.* 0\.5\)"),
    ):
        watched.rounds()
    write(tmp_path / "u/a.log", made.verl_line(1) + made.verl_line(2))
    write(tmp_path / "u/copy.log", made.verl_line(1) + made.verl_line(2))
    with Watched("verl", tmp_path / "u", tmp_path / "other") as watched:
        assert watched.rounds(is_last=True).steps() == [1, 2]


def test_two_dumps_of_one_step(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"t/{name}/1.jsonl", made.verl_dump(1))
    with (
        Watched("verl", tmp_path / "t", tmp_path / "run") as watched,
        pytest.raises(DataError, match=r"two files hold the rollouts of step 1: .*a/1\.jsonl and .*b/1\.jsonl"),
    ):
        watched.rounds()


def test_nothing_is_written_where_it_reads(tmp_path: Path) -> None:
    for name, content in FILES["verl"].items():
        write(tmp_path / "t" / name, content)
    before = _stats(tmp_path / "t")
    with Watched("verl", tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds(2, is_last=True)
    assert _stats(tmp_path / "t") == before


def _stats(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = sorted([folder, *folder.rglob("*")])
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def test_a_run_in_the_followed_folder_is_refused(tmp_path: Path) -> None:
    followed = Followed(tool="verl", path=tmp_path)
    with pytest.raises(RunDirError, match="never written; choose another --out"):
        watch(followed, RunDir(tmp_path / "x"), command=(), notice=print)
    assert not list(tmp_path.iterdir())


def test_a_run_of_another_training_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name / "train.log", made.verl_line(1))
    run = RunDir(tmp_path / "run")
    facts: dict[str, Any] = {"command": (), "notice": lambda _: None, "until_idle_s": 0.0, "pause": lambda _: None}
    watch(Followed(tool="verl", path=tmp_path / "a"), run, **facts)
    assert (run.state(), run.info()["backend"], run.info()["followed"]) == ("done", "verl", str(tmp_path / "a"))
    watch(Followed(tool="verl", path=tmp_path / "a"), run, **facts)
    with pytest.raises(RunDirError, match=r"is another run \(followed '.*a', wanted '.*b'\)"):
        watch(Followed(tool="verl", path=tmp_path / "b"), run, **facts)
    assert [row["step"] for row in run.metrics()[0]] == [1]


def test_it_ends_with_the_training(tmp_path: Path) -> None:
    """And not before what was written last is read."""
    log, run, pauses = tmp_path / "t/train.log", RunDir(tmp_path / "run"), []
    write(log, made.verl_line(1))

    def pause(_: float) -> None:
        pauses.append(1)
        if len(pauses) == 3:
            write(log, made.verl_line(2) + "Final validation metrics: None\n")

    watch(Followed(tool="verl", path=tmp_path / "t"), run, command=(), notice=lambda _: None, pause=pause)
    assert [row["step"] for row in run.metrics()[0]] == [1, 2]
    assert run.state() == "done"
    assert len(pauses) == 4


def test_a_caller_says_when_it_is_over(tmp_path: Path) -> None:
    """What the training wrote before it ended is read after that."""
    log, run, asked = tmp_path / "t/train.log", RunDir(tmp_path / "run"), []
    run.create(kind="train", command=(), seed=0, environment={})
    write(log, made.verl_line(1))

    def is_over() -> bool:
        asked.append(1)
        if len(asked) == 3:
            write(log, made.verl_line(2))
        return len(asked) == 3

    progress = follow(
        Followed(tool="verl", path=tmp_path / "t"), run, is_over=is_over, notice=print, pause=lambda _: None
    )
    assert (progress.last_step, [row["step"] for row in run.metrics()[0]]) == (2, [1, 2])
    assert run.state() == "open"


def test_our_grader_beside_the_file(tmp_path: Path) -> None:
    write(tmp_path / "t/1.jsonl", made.verl_dump(1, num_problems=1, output="so \\boxed{0}", acc=False))
    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=(), seed=0, environment={})
    followed = Followed(tool="verl", path=tmp_path / "t", grade=True)
    follow(followed, run, is_over=lambda: True, notice=print)
    (row, _) = run.rollouts(1).read().to_pylist()
    assert (row["verdict"], row["second_verdict"], row["second_extracted"]) == ("wrong", "correct", "0")
    assert json.loads(row["extra"])["our_grader"]


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path / "t/train.log", "x\n")
    with Watched("verl", tmp_path / "t", tmp_path / "run") as watched:
        (tmp_path / "t/train.log").unlink()
        assert watched.rounds().steps() == []
        (tmp_path / "t").rename(tmp_path / "gone")
        with pytest.raises(DataError, match="no such file or folder"):
            watched.rounds()
