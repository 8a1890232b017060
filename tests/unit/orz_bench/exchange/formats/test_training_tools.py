"""verl, TRL, verifiers and SkyRL: every value where it belongs, and no verdict that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.foreign_files import (
    VERIFIERS,
    VERL,
    Rows,
    contents_of,
    curves_of,
    lines,
    parquet,
    samples_of,
    whole,
)


def test_verl_samples_of_a_prompt_are_one_problem(tmp_path: Path) -> None:
    other = VERL | {"input": "user\n2+2?\nassistant\n", "gts": '["4"]'}
    one, two, three = samples_of(lines(tmp_path / "7.jsonl", [VERL, other, VERL | {"score": 0.0}]), "verl")
    assert one.problem_id == three.problem_id != two.problem_id
    assert (one.question, one.gold, two.gold, one.step) == ("1+1?", "2", "4", 7)
    assert (one.verdict, three.verdict, one.reward) == ("correct", "wrong", 1.0)


@pytest.mark.parametrize(
    ("rows", "verdicts"),
    [
        ([{"score": 1.0, "acc": False}, {"score": -1.0, "acc": True}], ["wrong", "correct"]),
        ([{"score": 1.0}, {"score": 0.5}], [None, None]),
        ([{"score": 0.0}, {"score": 0.0}], [None, None]),
        ([{"score": 1.0}, {"score": -1.0}], [None, None]),
        ([{"score": 1.0, "acc": 0.5}, {"score": 0.0, "acc": 1}], [None, "correct"]),
    ],
)
def test_a_shaped_score_is_no_verdict(tmp_path: Path, rows: Rows, verdicts: list[str | None]) -> None:
    path = lines(tmp_path / "1.jsonl", [VERL | row for row in rows])
    assert [sample.verdict for sample in samples_of(path, "verl")] == verdicts


def test_verl_dumps_of_validation_are_told_by_their_folder(tmp_path: Path) -> None:
    assert contents_of(lines(tmp_path / "rollout_data" / "5.jsonl", [VERL]), "verl").trains
    assert not contents_of(lines(tmp_path / "validation_data" / "5.jsonl", [VERL]), "verl").trains


def test_a_dump_without_a_step_has_that_of_its_name(tmp_path: Path) -> None:
    row = {name: value for name, value in VERL.items() if name != "step"}
    assert samples_of(lines(tmp_path / "31.jsonl", [row]), "verl")[0].step == 31


def test_a_console_log_of_verl(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text(
        "starting\n\x1b[36m(TaskRunner pid=7)\x1b[0m step:1 - critic/score/mean:0.5 - actor/lr:np.float64(1e-06)\n"
        "step:2 - critic/score/mean:0.75 - broken:x\nthe footstep:3 - of a giant\n",
        encoding="utf-8",
    )
    assert curves_of(path, "verl")[:2] == [
        {"step": 1, "critic/score/mean": 0.5, "actor/lr": 1e-06},
        {"step": 2, "critic/score/mean": 0.75},
    ]


def test_the_file_logger_of_verl(tmp_path: Path) -> None:
    path = lines(tmp_path / "metrics.jsonl", [{"step": 3, "data": {"critic/score/mean": 0.25}}])
    assert curves_of(path, "verl") == [{"step": 3, "critic/score/mean": 0.25}]


def test_trl_completions(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "completions_00005.parquet",
        {
            "step": [5, 5],
            "prompt": ["1+1?", "1+1?"],
            "completion": ["2", "3"],
            "accuracy_reward": [1.0, 0.0],
            "solution": ["2", "2"],
            "advantage": [0.7, -0.7],
        },
    )
    one, two = samples_of(path, "trl")
    assert (one.verdict, two.verdict, one.reward, one.advantage) == ("correct", "wrong", 1.0, 0.7)
    assert (one.gold, one.step, one.question) == ("2", 5, "1+1?")


def test_the_total_of_several_reward_functions_is_unknown(tmp_path: Path) -> None:
    columns = {"step": [1], "prompt": ["q"], "completion": ["a"], "accuracy_reward": [1.0], "format_reward": [0.5]}
    path = parquet(tmp_path / "completions_00001.parquet", columns)
    (sample,) = samples_of(path, "trl")
    assert (sample.reward, sample.verdict, sample.extra["format_reward"]) == (None, "correct", 0.5)
    assert "weights" in contents_of(path, "trl").notes[0]


def test_trl_states_and_logs(tmp_path: Path) -> None:
    history = [
        {"step": 5, "reward": 0.5, "epoch": 0.1},
        {"step": 5, "eval_reward": 0.4},
        {"step": 5, "train_runtime": 9},
    ]
    state = whole(tmp_path / "trainer_state.json", {"log_history": history, "global_step": 5, "logging_steps": 5})
    assert curves_of(state, "trl") == [{"step": 5, "reward": 0.5}, {"step": 5, "eval_reward": 0.4}]
    assert contents_of(state, "trl").notes == ("each row is a mean over 5 steps",)
    log = tmp_path / "train.log"
    log.write_text(
        " 10%|# | 1/10 [00:01<00:09]\r 50%|# | 4/10 [00:04]{'loss': '0.1', 'reward': 0.5}\r"
        " 50%|# | 5/10 [00:05]\n{'loss': 0.2}\n"
    )
    # The last dictionary has no bar behind it, and the one before may be some steps old.
    assert curves_of(log, "trl") == [{"step": 5, "loss": 0.1, "reward": 0.5}]


def test_verifiers_messages_become_the_text_of_the_assistant(tmp_path: Path) -> None:
    failed = VERIFIERS | {"completion": []}
    one, two = samples_of(lines(tmp_path / "results.jsonl", [VERIFIERS, failed]), "verifiers")
    assert (one.completion, one.question, one.gold, one.verdict) == ("It is 2.", "1+1?", "2", "correct")
    assert (one.problem_id, one.sample_index, two.sample_index) == ("3", 0, 1)
    assert (two.completion, two.verdict) == (None, None)
    assert one.extra["messages"][1]["role"] == "tool"


def test_the_sum_of_rewards_is_no_verdict(tmp_path: Path) -> None:
    row = {name: value for name, value in VERIFIERS.items() if name != "correct_answer_reward_func"}
    (sample,) = samples_of(lines(tmp_path / "results.jsonl", [row | {"reward": 1.0}]), "verifiers")
    assert (sample.verdict, sample.reward) == (None, 1.0)


def test_ids_that_are_not_those_of_examples_are_not_used(tmp_path: Path) -> None:
    """Older versions number rows in groups while the prompts go round."""
    old = {name: value for name, value in VERIFIERS.items() if name != "example_id"}
    rows = [
        old | {"id": n // 2, "prompt": [{"role": "user", "content": f"q{n % 2}"}], "answer": str(n % 2)}
        for n in range(4)
    ]
    samples = samples_of(lines(tmp_path / "results.jsonl", rows), "verifiers")
    assert [sample.sample_index for sample in samples] == [0, 0, 1, 1]
    assert len({(sample.problem_id, sample.gold) for sample in samples}) == 2


def test_verifiers_metadata_names_the_benchmark(tmp_path: Path) -> None:
    path = lines(tmp_path / "results.jsonl", [VERIFIERS])
    whole(tmp_path / "metadata.json", {"env_id": "gsm8k", "model": "m", "rollouts_per_example": 1, "avg_reward": 1.0})
    contents = contents_of(path, "verifiers")
    assert (samples_of(path, "verifiers")[0].benchmark, contents.facts["model"]) == ("gsm8k", "m")
    assert contents_of(tmp_path / "metadata.json", "verifiers").kind == "nothing"


def test_skyrl(tmp_path: Path) -> None:
    row = {
        "input_prompt": "q",
        "output_response": "a",
        "score": [0.0, 1.0],
        "stop_reason": "stop",
        "data_source": "aime",
    }
    path = lines(tmp_path / "global_step_12_evals" / "aime.jsonl", [row, row | {"score": 0.0}])
    one, two = samples_of(path, "skyrl")
    assert (one.step, one.benchmark, one.reward, one.verdict, two.verdict) == (12, "aime", 1.0, "correct", "wrong")
    assert one.problem_id == two.problem_id
