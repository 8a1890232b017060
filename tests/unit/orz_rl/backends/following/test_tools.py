"""What each tool's files become: metrics by our names only where the meaning is the same, and rollouts."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tensorboardX import SummaryWriter

from orz_bench.errors import DataError
from orz_bench.records.metrics import METRICS
from orz_rl.backends.following.recognise import TOOLS
from tests.support import followed as made
from tests.support.followed import VERL_PROMPT, Watched, write


@pytest.mark.parametrize("name", TOOLS)
def test_metrics_are_mapped_to_ours(name: str) -> None:
    assert set(TOOLS[name].metrics.values()) <= set(METRICS)
    assert TOOLS[name].name == name


def test_verl_console_and_dumps(tmp_path: Path) -> None:
    log = "".join(made.verl_line(step) for step in (1, 2, 3))
    first = "x\n(TaskRunner pid=1) step:0 - val-core/gsm8k/acc/mean@1:np.float64(0.25) - val-aux/n:nan\n"
    write(tmp_path / "t/train.log", f"{first}Training Progress: 1%|x| 1/3\r{log}")
    write(tmp_path / "t/rollouts/1.jsonl", made.verl_dump(1))
    write(tmp_path / "t/validation/0.jsonl", made.verl_dump(0, num_samples=1))
    with Watched("verl", tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds()
        assert watched.steps() == [0, 1, 2, 3]
        assert watched.curve("reward/mean") == {1: 0.1, 2: 0.2, 3: 0.3}
        assert watched.curve("verl/actor/entropy") == {1: 0.5, 2: 0.5, 3: 0.5}
        assert watched.curve("verl/val-core/gsm8k/acc/mean@1") == {0: 0.25}
        assert watched.sampled() == []
        watched.rounds()
        rows = watched.rollouts(1)
        assert [row["sample_index"] for row in rows] == [0, 0, 1, 1]
        assert [row["problem_id"] for row in rows[:2]] == [row["problem_id"] for row in rows[2:]]
        assert len({row["problem_id"] for row in rows}) == 2
        found = rows[3]
        assert found["prompt"] == VERL_PROMPT.format(1)
        assert (found["gold"], found["reward"], found["verdict"], found["extracted"]) == ("2", 1.0, "correct", "2")
        assert (found["num_tokens"], found["stop_reason"], found["seed"]) == (None, None, None)
        assert found["extra"]["request_id"] == "r1"
        assert found["extra"]["acc"] is True
        (evaluation,) = watched.run.evaluations()
        assert (evaluation.benchmark, evaluation.step, evaluation.read().num_rows) == ("validation", 0, 2)
        watched.rounds(is_last=True)
        assert watched.steps() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({"acc": None}, ["wrong", "wrong", "correct", "correct"]),  # scores 0 and 1
        ({"acc": None, "score": 1.0}, [None] * 4),
        ({"acc": None, "score": 0.1}, [None] * 4),
        ({"acc": 0.5}, [None] * 4),
        ({"acc": 1, "score": -3}, ["correct"] * 4),
    ],
)
def test_a_verdict_of_verl_is_stated_or_null(
    tmp_path: Path, changes: dict[str, Any], verdicts: list[str | None]
) -> None:
    write(tmp_path / "t/1.jsonl", made.verl_dump(1, **changes))
    with Watched("verl", tmp_path / "t", tmp_path / "run") as watched:
        rows = watched.rounds(is_last=True).rollouts(1)
    assert [row["verdict"] for row in rows] == verdicts
    assert [row["why"] is None for row in rows] == [verdict is None for verdict in verdicts]


def test_two_golds_for_one_prompt_are_named(tmp_path: Path) -> None:
    write(tmp_path / "t/1.jsonl", made.verl_dump(1))
    write(tmp_path / "t/2.jsonl", made.verl_dump(2).replace('"gts": "2"', '"gts": "3"'))
    with Watched("verl", tmp_path / "t", tmp_path / "run") as watched:
        for _ in range(2):
            with pytest.raises(
                DataError,
                match=r"two golds for one prompt: '2' \(.*1(\.jsonl, line 2)?\) and '3' \(.*2\.jsonl, line 2\)",
            ):
                watched.rounds(is_last=True)
            watched.restart()
        assert watched.sampled() == [1]
    with Watched("verl", tmp_path / "t", tmp_path / "other", metrics_only=True) as watched:
        assert watched.rounds(is_last=True).sampled() == []


def test_openrlhf_log_and_event_files(tmp_path: Path) -> None:
    values = {"policy_loss": 0.5, "actor_lr": "np.float64(1e-06)", "rollout/reward_mean": 0.25, "kl": "nan"}
    shown = "{" + ", ".join(f"'{name}': {value}" for name, value in values.items()) + "}"
    text = f"(TrainingActor pid=1) INFO 05-06 07:59 ppo_trainer.py:9] ✨ Global step 1: {shown}\n"
    done = "✨ Evaluation completed in 0:01, global_step 1, eval_metrics: {'eval_gsm8k_pass1': 0.75}\n"
    write(tmp_path / "t/train.log", text + done)
    with SummaryWriter(str(tmp_path / "t/tb")) as writer:
        writer.add_scalar("train/rollout/response_length_mean", 64.0, 1)
        writer.add_scalar("train/policy_loss", 0.1, 2)
    with Watched("openrlhf", tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds()
        (row,) = watched.run.metrics()[0]
    theirs = {"train/policy_loss": 0.5, "train/actor_lr": 1e-6, "eval/eval_gsm8k_pass1": 0.75}
    named = {f"openrlhf/{name}": value for name, value in theirs.items()}
    assert row == {"step": 1, "reward/mean": 0.25, "response/length_mean": 64.0} | named


def test_trl_state_counts_before_the_rounded_console(tmp_path: Path) -> None:
    log = "INFO x\nCapturing: 5%|x| 3/35 [00:14<00:01]\r" + made.trl_bar(0)
    write(tmp_path / "t/train.log", log + "".join(made.trl_line(step) for step in (1, 2, 3)))
    write(tmp_path / "t/checkpoint-2/trainer_state.json", made.trl_state([1, 2]))
    with Watched("trl", tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds()
        assert watched.curve("response/length_mean") == {1: 51.123456, 2: 52.123456, 3: 53.12}
        assert watched.curve("trl/loss") == {1: 0.1, 2: 0.1, 3: 0.1}
        write(tmp_path / "t/train.log", "\r{'train_runtime': '5.1', 'train_loss': '0.1', 'epoch': '1'}\n")
        watched.rounds()
        assert watched.progress.ended
        (tmp_path / "t/checkpoint-2/trainer_state.json").unlink()
        watched.restart()
        assert watched.rounds().curve("response/length_mean")[2] == 52.123456, "digits that only the run has"


def test_trl_completions(tmp_path: Path) -> None:
    folder = tmp_path / "t/completions"
    made.write_completions(folder / "completions_00001.parquet", 1)
    chat = [[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1 + 1?"}]] * 4
    said = [[{"role": "assistant", "content": f"{number}"}] for number in range(4)]
    made.write_completions(
        folder / "completions_00002.parquet", 2, prompt=chat, completion=said, format_reward=[0.5] * 4, answer=["2"] * 4
    )
    write(folder / "completions_00003.parquet", (folder / "completions_00001.parquet").read_bytes()[:-5])
    with Watched("trl", tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds(2)
        assert watched.sampled() == [1, 2]
        (first, *_), (second, *_) = watched.rollouts(1), watched.rollouts(2)
        assert (first["reward"], first["verdict"], first["advantage"], first["gold"]) == (1.0, "correct", 0.7, None)
        assert (second["reward"], second["verdict"], second["gold"]) == (None, "correct", "2")
        assert (second["question"], second["completion"]) == ("1 + 1?", "0")
        assert second["prompt"] == "system\nBe brief.\nuser\n1 + 1?"
        assert second["extra"]["format_reward"] == 0.5
        watched.rounds(is_last=True)
        assert any("completions_00003.parquet" in text for text in watched.notices)
        assert watched.sampled() == [1, 2]


def test_completions_that_an_evaluation_has_overwritten_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t/completions/completions_00002.parquet"
    made.write_completions(path, 2)
    write(tmp_path / "t/train.log", made.trl_bar(0) + "".join(made.trl_line(step) for step in (1, 2)))
    with Watched("trl", tmp_path / "t", tmp_path / "run") as watched:
        assert watched.rounds(2).sampled() == [2]
        made.write_completions(path, 2, completion=["eval"] * 4)
        write(
            tmp_path / "t/train.log", "\r{'eval_loss': '0.1', 'eval_reward': '0.5', 'epoch': '1'}\n" + made.trl_bar(2)
        )
        assert watched.rounds(2).sampled() == []
        watched.restart()
        assert watched.rounds(is_last=True).sampled() == []
        assert sum("overwritten" in text for text in watched.notices) == 1
        assert watched.curve("trl/eval_reward") == {2: 0.5}
        made.write_completions(path, 2, completion=["again"] * 4)
        write(tmp_path / "t/train.log", made.trl_line(1) + made.trl_line(2) + made.trl_line(3))
        assert watched.rounds(2).rollouts(2)[0]["completion"] == "again"


def test_prime_rl_metrics_of_two_processes(tmp_path: Path) -> None:
    log = tmp_path / "t/metrics.jsonl"
    write(log, made.prime_rows(1, "orchestrator") + made.prime_rows(2, "orchestrator") + made.prime_rows(1, "trainer"))
    with Watched("prime-rl", tmp_path / "t", tmp_path / "run") as watched:
        assert watched.rounds().steps() == []
        write(log, made.prime_rows(3, "orchestrator") + made.prime_rows(2, "trainer"))
        write(log, json.dumps({"step": 1, "time": 2.0, "eval/sums/effective/agent/avg@4": 0.5}) + "\n")
        (row,) = watched.rounds().run.metrics()[0]
        times = {"prime-rl/orchestrator/time/step": 1.0, "prime-rl/trainer/time/step": 2.0}
        named = {"reward/mean": 0.1, "prime-rl/optim/lr": 0.1, "policy/entropy": 0.5} | times
        assert row == {"step": 1, "prime-rl/eval/sums/effective/agent/avg@4": 0.5} | named
        assert watched.rounds(is_last=True).steps() == [1, 2, 3]


def test_prime_rl_traces(tmp_path: Path) -> None:
    folder = tmp_path / "t/rollouts/step_4"
    lines = [json.dumps(made.an_episode(4, number)) + "\n" for number in (0, 1, 2)]
    failed = json.dumps(made.an_episode(4, 3, ok=False, traces=[])) + "\n"
    write(folder / "train/all/traces.jsonl", "".join(lines) + failed)
    write(folder / "eval/effective/traces.jsonl", lines[0])
    with Watched("prime-rl", tmp_path / "t", tmp_path / "run") as watched:
        assert [row["completion"] for row in watched.rounds(2).rollouts(4)] == ["step 4: 0", "step 4: 1", "step 4: 2"]
        write(folder / "train/effective/traces.jsonl", "".join(lines[:2]))
        _, found = watched.rounds(2).rollouts(4)
        facts = [found[name] for name in ("question", "gold", "reward", "verdict", "num_tokens", "stop_reason")]
        assert facts == ["What is 1 + 1?", "2", 2.0, "correct", 2, "eos"]
        assert (found["prompt_token_ids"], found["token_ids"], found["logprobs"]) == (
            [1, 2, 3, 4],
            [5, 6],
            [-0.5, -0.25],
        )
        assert (found["policy_version"], found["benchmark"], found["sample_index"]) == (4, "sums", 1)
        (evaluation,) = watched.run.evaluations()
        assert (evaluation.step, evaluation.read().num_rows) == (4, 1)
        assert not watched.progress.ended
        write(tmp_path / "t/logs/latest/trainer.log", "12:00 SUCCESS RL trainer finished!\n")
        assert watched.rounds().progress.ended


ODD: tuple[Any, ...] = (
    None,
    "",
    "1",
    [],
    {},
    [None],
    {"a": 1},
    True,
    -1,
    1e300,
    10**30,
    float("nan"),
    "\ud83d",
    "a\x00b",
    [[1]],
)


def _changed(value: Any, rng: random.Random) -> Any:
    """The value with one place of it replaced by something odd."""
    if isinstance(value, dict | list) and value and rng.random() < 0.85:
        names: Any = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        copied = value.copy()
        copied[names] = _changed(value[names], rng)
        return copied
    return rng.choice(ODD)


@pytest.mark.parametrize("tool", ["verl", "prime-rl"])
def test_odd_rows_stop_nothing(tmp_path: Path, tool: str) -> None:
    rng = random.Random(0)
    if tool == "verl":
        dump, log, names = made.verl_dump(1), made.verl_file_row(1), ("1.jsonl", "exp.jsonl")
    else:
        dump, log = json.dumps(made.an_episode(1)), made.prime_rows(1, "trainer")
        names = ("rollouts/step_1/train/traces.jsonl", "metrics.jsonl")
    whole, row = dump.split("\n")[0], log.split("\n")[0]
    without_gold = json.loads(whole.replace('"gts"', '"note"').replace('"answer"', '"note"'))
    rollouts = [json.dumps(_changed(without_gold, rng)) for _ in range(200)]
    rows = [json.dumps(_changed(json.loads(row), rng)) for _ in range(200)]
    for name, first, lines in ((names[0], whole, rollouts), (names[1], row, rows)):
        write(tmp_path / "t" / name, "".join(f"{line}\n" for line in (first, *lines)))
    with Watched(tool, tmp_path / "t", tmp_path / "run") as watched:
        watched.rounds(is_last=True)
        assert 1 in watched.steps()
        assert len(watched.rollouts(1)) > 100
