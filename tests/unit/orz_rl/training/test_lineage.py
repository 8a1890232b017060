"""The settings of runs that are made from another one, and what is refused before anything starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError, OrzError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.training.identity import Maker, open_run
from orz_rl.training.lineage import Asked, Derived, derive
from tests.support.parents import a_parent
from tests.unit.orz_rl.training.test_identity import some_prompts


@pytest.fixture
def parent(tmp_path: Path) -> RunDir:
    return a_parent(tmp_path / "runs" / "tiny")


def branched(parent: RunDir, *overrides: str, step: int = 2, out: str = "new") -> Derived:
    return derive(Asked(branch=f"{parent.path}@{step}"), out=RunDir(parent.path.parent / out), overrides=overrides)


def replayed(parent: RunDir, *overrides: str, out: str = "new") -> Derived:
    return derive(Asked(replay=parent.path), out=RunDir(parent.path.parent / out), overrides=overrides)


def started(derived: Derived, out: RunDir) -> None:
    made_by = Maker("native", ("orz-rl",), derived.lineage.facts())
    open_run(out, derived.config, prompts=some_prompts(), made_by=made_by, notice=pytest.fail)


def test_a_branch_has_the_settings_of_its_parent_with_changes(parent: RunDir) -> None:
    found = branched(parent, "optim.policy_lr=1e-4", "num_steps=8")
    assert found.config.rollout.num_problems == 2
    assert (found.config.optim.policy_lr, found.config.num_steps) == (1e-4, 8)
    assert found.lineage.facts() == {
        "parent": {
            "run": str(parent.path),
            "run_id": "parent",
            "step": 2,
            "changed": {"optim.policy_lr": [2e-4, 1e-4], "num_steps": [4, 8]},
        }
    }


def test_an_older_parent_is_completed_and_what_no_longer_exists_is_left_out(parent: RunDir) -> None:
    text = parent.config_path.read_text(encoding="utf-8").replace("  truncated: zero\n", "  speculation: 3\n")
    parent.config_path.write_text(text, encoding="utf-8")
    assert branched(parent).config.reward.truncated == "zero"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("@3", r"no complete checkpoint of step 3; available steps: 2, 4\."),
        ("", r"wanted RUN@STEP, a run and the step of one of its checkpoints; it has checkpoints of the steps 2, 4\."),
        ("@newest", r"wanted RUN@STEP"),
        ("@4", r"num_steps is 4, but .*tiny@4 has made 4; set num_steps to more"),
    ],
)
def test_a_step_without_a_checkpoint_is_named_with_those_there_are(parent: RunDir, text: str, wanted: str) -> None:
    with pytest.raises(OrzError, match=wanted):
        derive(Asked(branch=f"{parent.path}{text}"), out=RunDir(parent.path.parent / "new"))


def test_all_changes_that_a_checkpoint_does_not_allow_are_named_together(parent: RunDir) -> None:
    with pytest.raises(ConfigError) as caught:
        branched(
            parent,
            "model.policy=models/other",
            "cluster.zero_stage=1",
            "model.dtype=bfloat16",
            "critic.from=critics/new",
        )
    lines = str(caught.value).splitlines()
    assert "model.policy: found tiny, wanted models/other (the weights" in lines[1]
    assert [line.split(":")[0].strip() for line in lines[1:5]] == [
        "model.policy", "critic.from", "model.dtype", "cluster.zero_stage",
    ]  # fmt: skip
    assert "model.policy=" in lines[-1]


def test_a_critic_cannot_be_had_from_a_run_without_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gae trains a critic, and the run has none"):
        branched(a_parent(tmp_path / "tiny", "advantage.estimator=grpo"), "advantage.estimator=gae")


def test_without_a_critic_goes_on_from_a_run_with_one(parent: RunDir) -> None:
    assert not branched(parent, "advantage.estimator=grpo").config.has_critic


@pytest.mark.parametrize("setting", ["critic.from", "model.critic"])
def test_without_a_critic_the_setting_of_its_start_can_be_left_out(tmp_path: Path, setting: str) -> None:
    """It would be refused if it stayed: it has no effect."""
    parent = a_parent(tmp_path / "tiny", f"{setting}=critics/one")
    found = branched(parent, "advantage.estimator=grpo", f"{setting}=null")
    assert (found.config.has_critic, found.config.critic.source, found.config.model.critic) == (False, None, None)
    with pytest.raises(ConfigError, match=f"{setting}: found critics/one, wanted critics/two"):
        branched(parent, f"{setting}=critics/two")


@pytest.mark.parametrize("name", ["run.json", "config.yaml"])
def test_a_damaged_parent_is_named(parent: RunDir, name: str) -> None:
    path = parent.path / name
    path.write_text(path.read_text(encoding="utf-8")[:80], encoding="utf-8")
    with pytest.raises(RunDirError, match=f"{name}.*(estore it)"):
        branched(parent)


@pytest.mark.parametrize("content", [None, b"short"])
def test_a_missing_or_truncated_file_is_found_before_anything_is_made(parent: RunDir, content: bytes | None) -> None:
    path = parent.path / "checkpoints" / "step=000002" / "state" / "policy" / "state.pt"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(RunDirError, match="a branch cannot start there"):
        branched(parent)


def test_a_run_is_not_made_from_itself(parent: RunDir) -> None:
    for asked in (Asked(branch=f"{parent.path}@2"), Asked(replay=parent.path / ".")):
        with pytest.raises(ConfigError, match="is the run that --from or --replay names"):
            derive(asked, out=parent, fresh=True)


def test_an_imported_training_is_refused_as_such(tmp_path: Path) -> None:
    """It has no config.yaml that could be restored."""
    run = RunDir(tmp_path / "imported")
    run.create(kind="train", command=["x"], seed=0, environment={"imported": True})
    for asked in (Asked(branch=f"{run.path}@2"), Asked(replay=run.path)):
        with pytest.raises(RunDirError, match="was imported from another tool"):
            derive(asked, out=RunDir(tmp_path / "new"))


def test_what_is_no_training_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="not a run directory"):
        derive(Asked(branch=f"{tmp_path}@2"), out=RunDir(tmp_path / "new"))
    run = RunDir(tmp_path / "eval")
    run.create(kind="eval", command=["x"], seed=1, environment={})
    with pytest.raises(RunDirError, match="of kind eval, not a training run"):
        derive(Asked(branch=f"{run.path}@2"), out=RunDir(tmp_path / "new"))
    with pytest.raises(RunDirError, match="of kind eval, not a training run"):
        derive(Asked(replay=run.path), out=RunDir(tmp_path / "new"))


def test_a_started_branch_needs_its_parent_no_more(parent: RunDir) -> None:
    out = RunDir(parent.path.parent / "new")
    first = branched(parent, "optim.policy_lr=1e-4")
    started(first, out)
    moved = parent.path.rename(parent.path.with_name("elsewhere"))
    again = branched(parent, "optim.policy_lr=1e-4")
    assert (again.config, again.lineage) == (first.config, first.lineage)
    found = derive(Asked(branch=f"{moved}@2"), out=out).lineage.parent
    assert found is not None
    assert found.run == str(moved)
    shutil.rmtree(moved)
    assert branched(parent).config == first.config


def test_a_run_that_was_made_otherwise_is_not_continued(parent: RunDir) -> None:
    out = RunDir(parent.path.parent / "new")
    started(branched(parent), out)
    for asked in (
        Asked(branch=f"{parent.path}@4"),
        Asked(branch=f"{a_parent(parent.path.parent / 'twin', run_id='twin').path}@2"),
        Asked(branch=f"{parent.path.parent / 'absent'}@2"),
        Asked(replay=parent.path),
    ):
        with pytest.raises(RunDirError, match="this run was made from another one"):
            derive(asked, out=out)
    assert (
        derive(Asked(branch=f"{parent.path}@4"), out=out, overrides=["num_steps=9"], fresh=True).config.num_steps == 9
    )


def test_a_replay_takes_what_was_sampled_and_starts_no_engine(parent: RunDir) -> None:
    found = replayed(parent)
    assert found.config.rollout.replay == str(parent.path)
    assert found.config.eval.benchmarks == ()
    assert found.config.loss.clip_against == "auto"
    assert "nothing is evaluated" in found.notices[0]
    assert found.lineage.facts() == {"replays": {"run": str(parent.path), "run_id": "parent", "step": 0, "changed": {}}}


def test_where_another_policy_will_learn_the_ratio_is_that_to_the_sampler(parent: RunDir) -> None:
    found = replayed(parent, "optim.policy_lr=1e-4")
    assert found.config.loss.clip_against == "sampler"
    assert "optim.policy_lr changed" in found.notices[-1]
    for own in ("loss.importance_cap=2", "loss.clip_against=policy"):
        assert replayed(parent, "optim.policy_lr=1e-4", own).config.loss.clip_against != "sampler"
    for neutral in ("checkpoint.every=1", "num_steps=3", "cluster.in_process=true"):
        assert replayed(parent, neutral).config.loss.clip_against == "auto"


def test_a_replay_changes_nothing_that_was_sampled(parent: RunDir) -> None:
    with pytest.raises(
        ConfigError, match=r"rollout\.temperature, data\.limit cannot change|data\.limit, rollout\.temp"
    ):
        replayed(parent, "rollout.temperature=0.7", "data.limit=100")


def test_a_replay_ends_with_the_rollouts(tmp_path: Path) -> None:
    run = a_parent(tmp_path / "tiny", "num_steps=9", learned=range(1, 4))
    found = replayed(run)
    assert found.config.num_steps == 3
    assert "has rollouts up to step 3" in found.notices[-1]


def test_a_replay_of_a_branch_begins_where_it_did(tmp_path: Path) -> None:
    run = a_parent(tmp_path / "tiny", learned=range(3, 5), steps=(4,))
    with pytest.raises(ConfigError, match="its rollouts begin with step 3"):
        replayed(run)
    parent = a_parent(tmp_path / "parent")
    found = derive(Asked(branch=f"{parent.path}@2", replay=run.path), out=RunDir(tmp_path / "new"))
    assert set(found.lineage.facts()) == {"parent", "replays"}
    assert found.config.rollout.replay == str(run.path)
