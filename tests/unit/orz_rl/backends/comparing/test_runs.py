"""A comparison is resumed: what is finished is left alone, what failed is named, and every start is counted."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.comparing.report import compared_with_first, facts_of, render, write_files
from orz_rl.backends.comparing.runs import Contest, contest
from orz_rl.recipes.registry import as_yaml, resolve
from tests.support.builders import a_rollout

CONFIG = resolve("tiny", overrides=["advantage.estimator=dr_grpo", "num_steps=3", "eval.benchmarks="])
TRAINER = """
import json, sys, time
from pathlib import Path
out = Path(sys.argv[sys.argv.index("--out") + 1])
metrics = out / "metrics.jsonl"
done = len(metrics.read_text().splitlines()) if metrics.exists() else 0
until = int((out.parent / "until").read_text())
for step in range(done + 1, until + 1):
    end = time.process_time() + 0.15
    while time.process_time() < end: pass
    time.sleep(0.3)
    with metrics.open("a") as file:
        file.write(json.dumps({"step": step, "reward/mean": 0.1 * step, "time/step": 0.5}) + "\\n")
sys.exit(0 if until == 3 else 9)
"""


def a_contest(out: Path) -> Contest:
    """Its runs exist; a program in place of `orz-rl train` adds rows to them."""
    found = Contest(out, ("native", "trl"), CONFIG, (sys.executable, "-c", TRAINER))
    for name in found.names:
        run = found.run_of(name)
        run.create(kind="train", command=[], seed=1, environment={"backend": name})
        run.write_config(as_yaml(CONFIG))
        (run.path / "prompts.json").write_text('{"digest": "same"}')
    return found


def told(found: Contest) -> list[str]:
    lines: list[str] = []
    found.train_all(notice=lines.append, warn=lambda _: None)
    return [line.partition(" in ")[0] for line in lines]


def test_a_failed_backend_is_resumed_and_a_finished_one_left_alone(tmp_path: Path) -> None:
    found = a_contest(tmp_path)
    found.run_of("native").mark("DONE", "")
    (tmp_path / "until").write_text("2")
    with pytest.raises(ConfigError, match=r"the backend trl ended with exit code 9 .* Run the same command to resume"):
        told(found)
    (tmp_path / "until").write_text("3")
    assert told(found) == ["native: finished", "trl: training"]
    first, second = found.usage()
    assert [(each.backend, each.first_step, each.last_step) for each in (first, second)] == [
        ("trl", 0, 2),
        ("trl", 2, 3),
    ]
    assert first.exit_code == 9
    assert first.cpu_of_steps_s is not None
    assert 0 <= first.cpu_of_steps_s <= first.cpu_s  # rows are looked for now and then: both may come at once
    assert second.cpu_of_steps_s is None  # of a single step it is not known where it began
    found.run_of("trl").mark("DONE", "")
    assert told(found) == ["native: finished", "trl: finished"]


def test_a_finished_run_of_other_settings_is_handed_to_its_backend(tmp_path: Path) -> None:
    """Which refuses it, and names what differs."""
    found = a_contest(tmp_path)
    for name in found.names:
        found.run_of(name).mark("DONE", "")
    (tmp_path / "until").write_text("3")
    other = replace(found, config=resolve("tiny", overrides=["advantage.estimator=dr_grpo", "seed=7"]))
    assert told(other) == ["native: training", "trl: training"]


@pytest.mark.parametrize("names", [["native"], ["trl", "trl"]])
def test_two_different_backends_are_wanted(names: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="wanted at least two different backends"):
        contest("tiny", names=names, config=CONFIG, arguments=[], out=tmp_path)


def test_nothing_starts_if_one_backend_cannot_express_the_settings(tmp_path: Path) -> None:
    config = resolve("tiny")  # by gae
    found = contest("tiny", names=["native", "trl"], config=config, arguments=[], out=tmp_path / "out")
    with pytest.raises(ConfigError, match="the backend trl cannot express 1 setting"):
        found.train_all(notice=print, warn=print)
    assert not (tmp_path / "out").exists()


def test_what_is_found_is_printed_and_written(tmp_path: Path) -> None:
    found = a_contest(tmp_path)
    for name in found.names:
        run = found.run_of(name)
        for step in (1, 2, 3):
            tokens = (1, 2) if step < 3 or name == "native" else (1, 3)
            row = a_rollout(num_tokens=2, token_ids=tokens, logprobs=(-1.0, -1.0), reward=1.0)
            with run.rollouts(step).lock():
                run.rollouts(step).append([replace(row, step=step)])
            run.append_metrics(
                {"step": step, "reward/mean": 0.25 * step, "time/step": 2.0, "time/sample": 1.0, "cpu/sample": 0.5}
            )
    compared = compared_with_first(found)
    facts = facts_of(found, compared)
    assert compared == {}  # the settings name no benchmark
    assert facts["same_prompts"]
    assert facts["steps_with_equal_rollouts"] == {"trl": 2}
    assert facts["backends"]["trl"]["seconds_a_step"] == {"step": 2.0, "sample": 1.0}
    assert facts["backends"]["trl"]["cpu_seconds_a_step"] == {"sample": 0.5}
    assert facts["backends"]["trl"]["cpu_s"] is None  # nothing was measured
    assert facts["backends"]["trl"]["curves"]["reward/mean"] == {"first": 0.5, "last": 0.5}
    write_files(found, found=facts)
    assert json.loads((tmp_path / "comparison.json").read_text()) == facts
    with (tmp_path / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["backend"], row["step"], row["reward/mean"]) for row in rows][:2] == [
        ("native", "1", "0.25"),
        ("native", "2", "0.5"),
    ]
    assert len(render(found, found=facts, compared=compared).renderables) > 4
    RunDir(found.run_of("trl").path).write_config("")
    (found.run_of("trl").path / "prompts.json").write_text('{"digest": "other"}')
    assert not facts_of(found, compared)["same_prompts"]
