"""A resumed run is one run for trackers: TensorBoard drops replayed steps, W&B recognises the run."""

from __future__ import annotations

import struct
from pathlib import Path

from orz_bench.records.run_dir import RunDir
from orz_rl.settings.around import LoggingConfig
from orz_rl.training.trackers import Trackers, wandb_settings


def a_train_run(folder: Path) -> RunDir:
    run = RunDir(folder)
    run.create(kind="train", command=[], seed=0, environment={"run_id": "abc"})
    return run


def scalars_of(run: RunDir) -> list[tuple[int, float]]:
    """(step, reward) as TensorBoard shows them: the start of a session drops values of its step and later ones."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    shown: list[tuple[int, float]] = []
    for path in sorted((run.path / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            (size,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + size])
            data = data[16 + size :]
            if event.session_log.status == SessionLog.START:
                shown = [pair for pair in shown if pair[0] < event.step]
            shown += [(event.step, value.simple_value) for value in event.summary.value if value.tag == "reward/mean"]
    return shown


def written(run: RunDir, steps: range, *, resumes_at: int) -> None:
    trackers = Trackers(LoggingConfig(), run, resumes_at=resumes_at)
    for step in steps:
        trackers.write({"step": step, "reward/mean": float(step + 100 * resumes_at)})
    trackers.close()


def test_replayed_steps_stand_once(tmp_path: Path) -> None:
    run = a_train_run(tmp_path / "run")
    written(run, range(1, 5), resumes_at=0)
    assert [step for step, _ in scalars_of(run)] == [1, 2, 3, 4]
    (first,) = (run.path / "tensorboard").iterdir()
    first.rename(first.with_name("events.out.tfevents.0000000001.a"))  # files of one second have one name
    written(run, range(3, 6), resumes_at=2)
    assert scalars_of(run) == [(1, 1.0), (2, 2.0), (3, 203.0), (4, 204.0), (5, 205.0)]


def test_a_run_without_a_checkpoint_starts_its_curves_again(tmp_path: Path) -> None:
    run = a_train_run(tmp_path / "run")
    written(run, range(3), resumes_at=0)
    (first,) = (run.path / "tensorboard").iterdir()
    first.rename(first.with_name("events.out.tfevents.0000000001.a"))
    written(run, range(2), resumes_at=0)
    assert [step for step, _ in scalars_of(run)] == [0, 1]


def test_a_resumed_run_has_the_id_that_it_had(tmp_path: Path) -> None:
    run = a_train_run(tmp_path / "run")
    settings = wandb_settings("project", run)
    assert settings == wandb_settings("project", RunDir(run.path))
    assert (settings["id"], settings["resume"], settings["name"]) == ("abc", "allow", "run")
