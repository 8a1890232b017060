"""Logs of trainers: W&B, TensorBoard, OpenRLHF, prime-rl; and a folder with all that one training wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tensorboardX import SummaryWriter

from orz_bench.errors import DataError
from orz_bench.exchange.formats.registry import read_file
from orz_bench.exchange.import_files import ImportOptions, import_files
from orz_bench.records.run_dir import RunDir
from tests.support import followed as made
from tests.support.followed import Watched, write
from tests.support.foreign_files import contents_of, curves_of, lines, samples_of, whole

OFFLINE = Path(__file__).parents[4] / "golden" / "foreign" / "wandb" / "offline_run.wandb"
"""Written by wandb 0.31.0, mode="offline": five steps of critic/score/mean, actor/pg_loss, response_length/mean, a text
and a nested number."""


def imported(paths: list[Path], out: Path, **options: object) -> tuple[RunDir, list[str]]:
    notices: list[str] = []
    done = list(import_files(paths, out, options=ImportOptions(**options), notice=notices.append))  # type: ignore[arg-type]
    return RunDir(out), notices + [note for one in done for note in one.notes]


def test_an_offline_run_of_wandb(tmp_path: Path) -> None:
    assert contents_of(OFFLINE, "wandb").what == "a W&B run 'sums' with 5 rows of history of verl"
    rows = imported([OFFLINE], tmp_path / "run")[0].metrics()[0]
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["reward/mean"] for row in rows] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert rows[0].keys() == {"step", "reward/mean", "policy/loss", "response/length_mean", "nested.a"}


@pytest.mark.parametrize("size", [0, 3, 7, 12, 400, 1000, 2000, 2500])
def test_a_cut_offline_run_has_whole_records_alone(tmp_path: Path, size: int) -> None:
    content = OFFLINE.read_bytes()
    path = tmp_path / "run.wandb"
    path.write_bytes(content[:size])
    all_rows = curves_of(OFFLINE, "wandb")
    if size < 4:
        with pytest.raises(DataError):
            read_file(path)
        return
    contents = contents_of(path, "wandb")
    rows = [] if contents.curves is None else [dict(row) for row in contents.curves()]
    assert rows == all_rows[: len(rows)]
    assert bool(rows) == bool(contents.notes), "what was cut is said"


def test_records_of_wandb_that_span_blocks(tmp_path: Path) -> None:
    """A long value makes LevelDB split a record at 32 KiB."""
    import struct

    def field(number: int, part: bytes) -> bytes:
        length, size = b"", len(part)
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        key = number << 3 | 2
        return (bytes([key]) if key < 128 else bytes([key & 127 | 128, key >> 7])) + length + bytes([size]) + part

    text = json.dumps("x" * 70000).encode()
    items = [field(1, field(1, b"note") + field(16, text)), field(1, field(1, b"loss") + field(16, b"0.5"))]
    record = field(2, b"".join(items) + field(2, b"\x08\x07"))
    out = bytearray(b":W&B\xe1\xbe\x00")
    at = 0
    while at < len(record):
        room = 32768 - len(out) % 32768 - 7
        piece = record[at : at + room]
        is_first, is_last = at == 0, at + len(piece) == len(record)
        kind = 1 if is_first and is_last else 2 if is_first else 4 if is_last else 3
        out += struct.pack("<IHB", 0, len(piece), kind) + piece
        at += len(piece)
    path = tmp_path / "run.wandb"
    path.write_bytes(bytes(out))
    (row,) = curves_of(path, "wandb")
    assert (row["_step"], row["loss"], len(row["note"])) == (7, 0.5, 70000)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_history_of_wandb(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"history{suffix}"
    if suffix == ".csv":
        path.write_text(",_step,_runtime,_timestamp,train/reward_std,train/reward\n0,5,1.5,17.5,0.1,0.25\n")
    else:
        row = {"_step": 5, "_runtime": 1.5, "train/reward": 0.25, "train/reward_std": 0.1, "h": {"_type": "histogram"}}
        lines(path, [row])
    assert contents_of(path, "wandb").what == "a W&B history of 1 row of TRL"
    rows = imported([path], tmp_path / "run")[0].metrics()[0]
    assert rows == [{"step": 5, "reward/mean": 0.25, "train/reward_std": 0.1}]


def test_the_step_that_a_trainer_declares_counts(tmp_path: Path) -> None:
    """Trainer of transformers logs train/global_step, and W&B's _step counts every call: also those of tables."""
    names = "_step,_runtime,train/global_step,train/reward,train/reward_std"
    path = tmp_path / "history.csv"
    path.write_text(f"{names}\n0,1.5,10,0.25,0.1\n1,1.5,,,\n2,2.5,20,0.5,0.1\n")
    run, notes = imported([path], tmp_path / "run")
    assert [(row["step"], row["reward/mean"]) for row in run.metrics()[0]] == [(10, 0.25), (20, 0.5)]
    assert any(note.startswith("the step is train/global_step") for note in notes)


def test_the_step_that_a_run_of_wandb_declares_counts(tmp_path: Path) -> None:
    path = OFFLINE.with_name("declared_step.wandb")
    run, notes = imported([path], tmp_path / "run")
    assert [(row["step"], row["reward/mean"]) for row in run.metrics()[0]] == [(10 * n, n / 8) for n in range(1, 5)]
    assert any(note.startswith("the step is trainer/step") for note in notes)


def test_completions_in_tables_of_wandb(tmp_path: Path) -> None:
    table = {"columns": ["step", "prompt", "completion", "accuracy_reward"], "data": [[7, "1+1?", "2", 1.0]]}
    path = whole(tmp_path / "completions_9_abc.table.json", table)
    (sample,) = samples_of(path, "trl")
    assert (sample.step, sample.question, sample.verdict, sample.reward) == (7, "1+1?", "correct", 1.0)
    assert contents_of(path, "trl").trains


def test_curves_of_another_tool_in_a_folder_are_refused(tmp_path: Path) -> None:
    """Also where any trainer writes the format: by the names of its metrics."""
    a_training_of_verl(tmp_path / "t")
    lines(tmp_path / "t/history.jsonl", [{"_step": 1, "_runtime": 1.5, "train/reward": 0.25, "train/reward_std": 0.1}])
    with pytest.raises(DataError, match=r"several tools: TRL \(history.jsonl: .*\), verl \("):
        imported([tmp_path / "t"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_panel_of_wandb_has_runs(tmp_path: Path) -> None:
    path = tmp_path / "panel.csv"
    metric = "critic/score/mean"
    path.write_text(
        f'"Step","a - {metric}","a - {metric}__MIN","a - {metric}__MAX","b - {metric}"\n'
        '"1","0.5","0.5","0.5","0.25"\n"2","0.75","0.75","0.75",""\n'
    )
    assert contents_of(path, "wandb").what == "a W&B panel of 2 runs of verl"
    with pytest.raises(DataError, match="holds the runs a, b; name one with --run"):
        imported([path], tmp_path / "run")
    rows = imported([path], tmp_path / "run", run="a")[0].metrics()[0]
    assert rows == [{"step": 1, "reward/mean": 0.5}, {"step": 2, "reward/mean": 0.75}]


def test_a_summary_of_wandb_is_no_curve(tmp_path: Path) -> None:
    path = whole(tmp_path / "wandb-summary.json", {"_step": 5, "_wandb": {"runtime": 1}, "loss": 0.5})
    with pytest.raises(DataError, match="a summary of a W&B run: the last values alone; name the run's history"):
        imported([path], tmp_path / "run")


def events(folder: Path, *points: tuple[str, float, int]) -> Path:
    with SummaryWriter(str(folder)) as writer:
        for tag, value, step in points:
            writer.add_scalar(tag, value, step)
    return next(folder.glob("events.out.tfevents.*"))


def test_event_files_of_any_program(tmp_path: Path) -> None:
    path = events(tmp_path / "tb", ("train/loss", 0.5, 10), ("train/loss", 0.25, 20), ("val/loss", 0.75, 1))
    assert contents_of(path, "tensorboard").what == "TensorBoard's events with 2 curves"
    rows = imported([path], tmp_path / "run")[0].metrics()[0]
    assert rows == [
        {"step": 1, "val/loss": 0.75},
        {"step": 10, "train/loss": 0.5},
        {"step": 20, "train/loss": 0.25},
    ]


def test_event_files_are_recognised_by_their_content(tmp_path: Path) -> None:
    path = events(tmp_path / "tb", ("loss", 0.5, 1))
    assert contents_of(path.rename(tmp_path / "log.txt"), "tensorboard").what == "TensorBoard's events with 1 curve"


def test_event_files_of_two_trainings_are_refused(tmp_path: Path) -> None:
    events(tmp_path / "tb" / "a", ("loss", 0.5, 1))
    events(tmp_path / "tb" / "b", ("loss", 0.75, 1))
    with pytest.raises(DataError, match=r"loss of step 1 is 0.75 here and 0.5 in .*/a, so they are of two trainings"):
        imported([tmp_path / "tb"], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_cut_event_files_say_so(tmp_path: Path) -> None:
    path = events(tmp_path / "tb", ("loss", 0.5, 1), ("loss", 0.75, 2))
    path.write_bytes(path.read_bytes()[:-5])
    _, notes = imported([path], tmp_path / "run")
    assert any("are not a whole record: left out" in note for note in notes)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DataError, match="TensorBoard's events with no whole record"):
        imported([path], tmp_path / "other")


def test_curves_downloaded_from_tensorboard(tmp_path: Path) -> None:
    path = tmp_path / "run-a_tb-tag-loss_mean.csv"
    path.write_text("Wall time,Step,Value\n17.5,1,0.5\n18.5,2,0.25\n")
    rows = imported([path], tmp_path / "run")[0].metrics()[0]
    assert rows == [{"step": 1, "loss_mean": 0.5}, {"step": 2, "loss_mean": 0.25}]
    points = whole(tmp_path / "run-a-tag-lr.json", [[17.5, 1, 0.5], [18.5, 2, 0.25]])
    assert curves_of(points, "tensorboard") == [{"step": 1, "lr": 0.5}, {"step": 2, "lr": 0.25}]


def test_a_log_of_openrlhf(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    shown = "{'policy_loss': 0.5, 'rollout/reward_mean': np.float64(0.25), 'kl': nan}"
    path.write_text(f"INFO ppo_trainer.py:9] Global step 1: {shown}\nEval at step 1: {{'eval_x_pass1': 0.75}}\n")
    assert contents_of(path, "openrlhf").what == "a console log of OpenRLHF"
    (row,) = imported([path], tmp_path / "run")[0].metrics()[0]
    assert row == {"step": 1, "reward/mean": 0.25, "train/policy_loss": 0.5, "eval/eval_x_pass1": 0.75}


def test_traces_of_prime_rl(tmp_path: Path) -> None:
    folder = tmp_path / "t" / "rollouts" / "step_4"
    rows = [made.an_episode(4, number) for number in (0, 1)]
    lines(folder / "train" / "all" / "traces.jsonl", rows)
    path = lines(folder / "train" / "effective" / "traces.jsonl", rows[1:])
    lines(folder / "eval" / "effective" / "traces.jsonl", rows[:1])
    (sample,) = samples_of(path, "prime-rl")
    facts = (sample.question, sample.gold, sample.reward, sample.verdict, sample.num_tokens, sample.stop_reason)
    assert facts == ("What is 1 + 1?", "2", 2.0, "correct", 2, "eos")
    write(tmp_path / "t" / "metrics.jsonl", made.prime_rows(4, "orchestrator") + made.prime_rows(4, "trainer"))
    run, notes = imported([tmp_path / "t"], tmp_path / "run")
    assert [row["completion"] for row in run.rollouts(4).read().to_pylist()] == ["step 4: 1"]
    assert any("name effective/traces.jsonl, which has those trained on" in note for note in notes)
    (evaluation,) = run.evaluations()
    assert (evaluation.step, evaluation.read().num_rows) == (4, 1)
    assert run.metrics()[0][0]["reward/mean"] == 0.4


def a_training_of_verl(folder: Path) -> Path:
    """What a user has: dumps, a console log, event files of the same run."""
    write(folder / "train.log", "".join(made.verl_line(step) for step in (1, 2, 3)))
    for step in (1, 2, 3):
        write(folder / "rollouts" / f"{step}.jsonl", made.verl_dump(step))
    write(folder / "validation" / "3.jsonl", made.verl_dump(3, num_samples=1, data_source="gsm8k"))
    points = [(name, value, step) for step in (1, 2, 3) for name, value in made.verl_values(step).items()]
    events(folder / "tensorboard", *points, ("critic/vf_loss", 0.125, 3))
    return folder


def test_a_folder_of_verl_is_one_run(tmp_path: Path) -> None:
    run, notes = imported([a_training_of_verl(tmp_path / "t")], tmp_path / "run")
    assert [step for step, _ in run.sampled_steps()] == [1, 2, 3]
    (evaluation,) = run.evaluations()
    assert (evaluation.benchmark, evaluation.step, evaluation.read().num_rows) == ("gsm8k", 3, 2)
    rows = run.metrics()[0]
    assert [row["reward/mean"] for row in rows] == [0.1, 0.2, 0.3], "the console's digits, not those of 32 bits"
    assert rows[2]["critic/loss"] == 0.125, "what only the events have"
    assert not any("two trainings" in note for note in notes)


TRAININGS = ("verl", "openrlhf", "trl", "prime-rl")


def write_training(tool: str, folder: Path) -> None:
    if tool == "verl":
        a_training_of_verl(folder)
    elif tool == "openrlhf":
        log = "".join(f"x Global step {n}: {{'policy_loss': 0.5, 'rollout/reward_mean': {n / 8}}}\n" for n in (1, 2, 3))
        write(folder / "train.log", log)
        events(folder / "tb", ("train/rollout/response_length_mean", 64.0, 1), ("train/policy_loss", 0.5, 2))
    elif tool == "trl":
        write(folder / "train.log", made.trl_bar(0) + "".join(made.trl_line(step) for step in (1, 2, 3)) + "\n")
        write(folder / "checkpoint-1/trainer_state.json", made.trl_state([1]))
        write(folder / "checkpoint-2/trainer_state.json", made.trl_state([1, 2]))
        (folder / "completions").mkdir()
        made.write_completions(folder / "completions/completions_00002.parquet", 2)
    else:
        rows = [made.prime_rows(step, writer) for step in (1, 2, 3) for writer in ("orchestrator", "trainer")]
        write(folder / "metrics.jsonl", "".join(rows))
        lines(folder / "rollouts/step_2/train/effective/traces.jsonl", [made.an_episode(2, n) for n in (0, 1)])


@pytest.mark.parametrize("tool", TRAININGS)
def test_import_and_watch_say_the_same(tmp_path: Path, tool: str) -> None:
    """One reader: only the names of what has no counterpart here differ, which watch puts behind the trainer's."""
    write_training(tool, tmp_path / "t")
    run, _ = imported([tmp_path / "t"], tmp_path / "run")
    with Watched(tool, tmp_path / "t", tmp_path / "watched") as watched:
        watched.rounds(is_last=True)
        of_watch = [
            {name.removeprefix(f"{tool}/"): value for name, value in row.items()} for row in watched.run.metrics()[0]
        ]
        assert run.metrics()[0] == of_watch
        assert [step for step, _ in run.sampled_steps()] == watched.sampled()
        for step in watched.sampled():
            columns = ["question", "prompt", "gold", "completion", "reward", "verdict", "extracted", "advantage"]
            ours = run.rollouts(step).read([*columns, "num_tokens", "token_ids"]).to_pylist()
            theirs = watched.run.rollouts(step).read([*columns, "num_tokens", "token_ids"]).to_pylist()
            assert ours == theirs


def test_checkpoints_of_trl_are_one_log(tmp_path: Path) -> None:
    """Each has the rows of those before it; checkpoint-1000 comes before checkpoint-500 in a list of names."""
    for steps in ((1, 2), (1, 2, 3)):
        write(tmp_path / f"t/checkpoint-{500 * len(steps) - 500}/trainer_state.json", made.trl_state(steps))
    run, notes = imported([tmp_path / "t"], tmp_path / "run")
    assert [row["step"] for row in run.metrics()[0]] == [1, 2, 3]
    assert not any("resumed" in note for note in notes)


def test_a_resumed_training_counts_once(tmp_path: Path) -> None:
    log = [made.verl_line(step) for step in (1, 2, 3)]
    again = [made.verl_line(step, **{"critic/score/mean": 0.9}) for step in (2, 3)]
    write(tmp_path / "t/train.log", "".join(log + again))
    run, notes = imported([tmp_path / "t"], tmp_path / "run")
    assert [row["reward/mean"] for row in run.metrics()[0]] == [0.1, 0.9, 0.9]
    assert any("the steps go back from 3 to 2, so training was resumed" in note for note in notes)


def test_a_cut_last_line_of_a_log_is_left_out(tmp_path: Path) -> None:
    """A number may go on: 0.3 of 0.35."""
    write(tmp_path / "train.log", (made.verl_line(1) + made.verl_line(2)).rstrip("\n"))
    run, notes = imported([tmp_path / "train.log"], tmp_path / "run")
    assert [row["step"] for row in run.metrics()[0]] == [1]
    assert any("the last line has no end" in note for note in notes)
