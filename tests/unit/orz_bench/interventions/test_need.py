"""A model that is asked again about stored thoughts: a stub whose answers and probabilities are known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orz_bench.cli import app
from orz_bench.commands.probing import _of_model
from orz_bench.engines.asked_model import AskedModel
from orz_bench.engines.engine import LikelihoodRequest, Likelihoods
from orz_bench.errors import ConfigError, OrzError, RunDirError
from orz_bench.interventions.need import thought_need
from orz_bench.interventions.stored import NeedChoices, NeedSettings, settings_for, stored_thoughts
from orz_bench.models.checkpoint import ModelIdentity
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.thought_need import ThoughtNeed, read_thought_needs
from orz_bench.results.statistics import summarise
from tests.support.builders import a_result, a_rollout
from tests.support.runs import _scored
from tests.support.scripted_engine import Letters, ScriptedEngine

CARD = {"template": "orz-code", "extractor": "final", "stop": ["</answer>"], "max_tokens": 200}
TEXT = " 1+2=3, 3+4=7 </think> <answer> \\boxed{7} </answer>"
FORCE = " </think> <answer> \\boxed{"


def an_evaluation(folder: Path, *texts: str, card: dict[str, Any] | None = None, **changes: Any) -> EvaluationDir:
    run = RunDir(folder)
    run.create(kind="eval", command=["orz-bench"], seed=1, environment={})
    directory = run.evaluation(benchmark="sums", step=0, fingerprint="0123456789ab")
    directory.path.mkdir(parents=True)
    rollouts = [
        a_rollout(
            **{
                "problem_id": f"p{at // 2}",
                "sample_index": at,
                "prompt": "Q:",
                "gold": "7",
                "completion": text,
                "extracted": "7",
                "verdict": "correct",
            }
            | changes
        )
        for at, text in enumerate(texts)
    ]
    directory.append(rollouts)
    directory.protocol_path.write_text(json.dumps({"card": CARD if card is None else card}), encoding="utf-8")
    summary = summarise(map(_scored, rollouts), second_extractor="boxed")
    directory.write_result(a_result(run=str(folder), benchmark="sums", summary=summary))
    return directory


@dataclass
class Stub(ScriptedEngine):
    """Continuations are scripted; the probability of an answer is `chance(context)`."""

    chance: Callable[[str], float] = lambda context: 0.5
    contexts: list[str] = field(default_factory=list)

    def loglikelihood(self, requests: Iterable[LikelihoodRequest]) -> Iterator[list[Likelihoods]]:
        for request in requests:
            context = self.tokenizer.decode(request.context)
            assert self.tokenizer.decode(request.continuations[0]) == "7}"
            self.contexts.append(context)
            value = math.log(self.chance(context))
            yield [Likelihoods(key=request.key, logprobs=(value,), is_greedy=(True,))]


class Watcher:
    def __init__(self, most: int | None = None) -> None:
        self.committed_now = 0
        self.most = most

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        self.missing = num_missing

    def committed(self, num_responses: int) -> None:
        self.committed_now += num_responses


def a_model(engine: Stub, *, context: int | None = None) -> AskedModel:
    return AskedModel(
        identity=ModelIdentity(label="stub", step=0, digest="d"),
        tokenizer=Letters(),
        open_engine=lambda: engine,
        context=context,
        facts={"engine": "stub"},
    )


def settings(directory: EvaluationDir, **changes: Any) -> NeedSettings:
    given: dict[str, Any] = {"positions": (0.0, 0.5, 1.0), "max_steps": 0} | changes
    return settings_for(directory, NeedChoices(**given))


def probed(directory: EvaluationDir, engine: Stub, watcher: Watcher | None = None, **changes: Any) -> ThoughtNeed:
    wanted = settings(directory, **changes)
    thoughts, left_out = stored_thoughts(directory, wanted)
    found, _ = thought_need(
        directory,
        thoughts,
        model=a_model(engine),
        settings=wanted,
        num_left_out=left_out,
        observer=watcher or Watcher(),
    )
    return found


def answers(prompt: str, seed: int) -> str:
    """Knows the answer once it has read `3+4=7`; `8` otherwise. A thought that goes on adds 4 to its last number."""
    if prompt.endswith("\\boxed{"):
        return ("7" if "=7" in prompt.removeprefix("Q:") else "8") + "} </answer>"
    total = int(prompt.replace(",", "").split("=")[-1])
    rest = "" if prompt.count("=") == 2 else f", {total}+4={total + 4}"
    return f"{rest} </think> <answer> \\boxed{{{total + 4 if rest else total}}} </answer>"


def test_forced_answers_by_share_of_the_thought(tmp_path: Path) -> None:
    """Of ` 1+2=3, 3+4=7` (13 characters) half is ` 1+2=3` without the cut `,`: only the whole gives 7."""
    directory = an_evaluation(tmp_path / "run", TEXT, TEXT, TEXT.replace("3+4=7", "3+4=9"))
    engine = Stub(answers)
    found = probed(directory, engine, measured=())
    assert found.positions == (0.0, 0.5, 1.0)
    assert [share.value for share in found.accuracy] == [0, 0, pytest.approx((1 + 0) / 2)]
    assert [share.value for share in found.own] == [0, 0, pytest.approx(0.5)]
    prompts = {request.prompt for request in engine.asked[0]}
    assert f"Q:{FORCE}" in prompts
    assert f"Q: 1+2=3, 3+4=7{FORCE}" in prompts
    assert (found.num_questions, found.num_responses, found.steps) == (2, 3, ())


def test_scores_of_steps_are_hand_computed(tmp_path: Path) -> None:
    """P = .2, + .5 with the true last step, + .1 with the true first: effects .1 and .5 with both contexts."""
    directory = an_evaluation(tmp_path / "run", TEXT)
    engine = Stub(answers, chance=lambda at: 0.2 + 0.5 * ("3+4=7" in at) + 0.1 * (" 1+2=3" in at))
    found = probed(directory, engine)
    (every, steps) = found.steps
    assert (every.kind, every.measured, every.num_steps) == ("all", "now", 2)
    assert every.score.value == pytest.approx((0.1 + 0.5) / 2)
    assert every.support == pytest.approx((0.1 + 0.5) / 2)
    assert every.decorative.value == 0
    assert steps.kind == "steps"
    assert all(context.startswith("Q:") and context.endswith(FORCE) for context in engine.contexts)
    # step 1: with and without it; step 2: context and step, each as it is or perturbed
    assert len(engine.contexts) == 2 + 4


def test_a_thought_that_goes_on_shows_the_first_step(tmp_path: Path) -> None:
    """Behind a wrong sum the thought goes on with it: both steps decide the answer, an answer right away only one."""
    directory = an_evaluation(tmp_path / "run", TEXT)
    found = probed(directory, Stub(answers), measured=("later",))
    assert found.steps[0].score.value == 1
    assert found.steps[0].support == 1


def test_words_are_dropped_and_known_as_reflections(tmp_path: Path) -> None:
    directory = an_evaluation(tmp_path / "run", TEXT.replace("3, 3", "3, wait, 3"))
    engine = Stub(answers, chance=lambda at: 0.5 - 0.2 * ("wait" in at))
    found = {scores.kind: scores for scores in probed(directory, engine).steps}
    assert found["reflections"].num_steps == 1
    assert found["reflections"].score.value == pytest.approx(0.2)
    assert found["reflections"].support == pytest.approx(-0.2)
    assert found["steps"].decorative.value == 1


def test_what_is_stored_is_not_asked_again(tmp_path: Path) -> None:
    directory = an_evaluation(tmp_path / "run", *[TEXT] * 20)
    engine = Stub(answers)

    class KilledError(Exception):
        pass

    class Kills(Watcher):
        def committed(self, num_responses: int) -> None:
            raise KilledError

    with pytest.raises(KilledError):
        probed(directory, engine, Kills())
    (rows,) = (directory.path / "need").glob("*/rows.jsonl")
    assert len(rows.read_text().splitlines()) == 16
    with rows.open("a") as file:
        file.write('{"problem_id": "torn')
    watcher = Watcher()
    found = probed(directory, engine, watcher)
    assert (watcher.missing, watcher.committed_now) == (4, 4)
    (other,) = [an_evaluation(tmp_path / "other", *[TEXT] * 20)]
    assert found == probed(other, Stub(answers))
    assert read_thought_needs(directory) == [found]
    asked = len(engine.asked)
    assert probed(directory, engine) == found
    assert len(engine.asked) == asked


def test_other_settings_are_another_folder_and_other_texts_are_refused(tmp_path: Path) -> None:
    directory = an_evaluation(tmp_path / "run", TEXT)
    probed(directory, Stub(answers))
    probed(directory, Stub(answers), seed=1)
    assert len(read_thought_needs(directory)) == 2
    directory.replace([a_rollout(problem_id="p0", sample_index=0, prompt="Q:", gold="7", completion=f" x{TEXT}")])
    with pytest.raises(RunDirError, match="with another text"):
        probed(directory, Stub(answers))


def test_a_perturbation_depends_on_the_seed_alone(tmp_path: Path) -> None:
    directory = an_evaluation(tmp_path / "run", TEXT)
    first, again, other = Stub(answers), Stub(answers), Stub(answers)
    probed(directory, first, seed=1)
    probed(an_evaluation(tmp_path / "again", TEXT), again, seed=1)
    probed(directory, other, seed=2)
    assert first.contexts == again.contexts != other.contexts


@pytest.mark.parametrize(
    ("texts", "changes", "message"),
    [
        ((TEXT,), {"gold": '{"checks": []}'}, "a gold that can be an answer"),
        (("no thought ends here",), {}, "with a finished thought"),
        ((TEXT,), {"prompt": ""}, "has a prompt"),
    ],
)
def test_nothing_to_ask_is_an_error(
    tmp_path: Path, texts: tuple[str, ...], changes: dict[str, Any], message: str
) -> None:
    directory = an_evaluation(tmp_path / "run", *texts, **changes)
    with pytest.raises(ConfigError, match=message):
        probed(directory, Stub(answers))


def test_a_template_without_a_thought_needs_the_text(tmp_path: Path) -> None:
    directory = an_evaluation(tmp_path / "run", TEXT, card=CARD | {"template": "plain"})
    with pytest.raises(ConfigError, match="--close"):
        settings(directory)
    assert settings(directory, force="\nSo \\boxed{").closing == "}"
    assert settings(directory, force="\nSo: ").closing == ""


def test_what_does_not_fit_the_context_is_an_error(tmp_path: Path) -> None:
    directory = an_evaluation(tmp_path / "run", TEXT)
    wanted = settings(directory)
    thoughts, _ = stored_thoughts(directory, wanted)
    with pytest.raises(OrzError, match="the model's context is 20"):
        thought_need(
            directory,
            thoughts,
            model=a_model(Stub(answers), context=20),
            settings=wanted,
            num_left_out=0,
            observer=Watcher(),
        )


FAKE = ("--ckpt", "fake:0.5", "--engine", "fake")


def test_the_command_with_a_model(tmp_path: Path) -> None:
    an_evaluation(tmp_path / "run", TEXT, TEXT)
    done = CliRunner().invoke(
        app, ["probe", str(tmp_path / "run"), *FAKE, "--at", "0,100", "--measure", "both", "--json"]
    )
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["evaluations"]
    assert row["positions"] == [0, 1]
    assert {scores["measured"] for scores in row["steps"]} == {"now", "later"}
    again = CliRunner().invoke(app, ["probe", str(tmp_path / "run"), *FAKE, "--at", "0,100", "--measure", "both"])
    assert "2 responses are probed already, 0 to go" in " ".join(again.output.split())
    assert "right after 100 % of the thought" in again.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--questions", "3"], "--questions is for a model"),
        ([*FAKE, "--at", "0,120"], "outside of 0 to 100"),
        ([*FAKE, "--at", "half"], "is no number"),
        (["--ckpt", "no-such-folder-here", "--engine", "openai"], "a server does not give"),
    ],
)
def test_errors_of_the_command(tmp_path: Path, more: list[str], message: str) -> None:
    an_evaluation(tmp_path / "run", TEXT)
    done = CliRunner().invoke(app, ["probe", str(tmp_path / "run"), *more])
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())


def test_a_run_is_asked_with_the_checkpoint_of_each_step(tmp_path: Path) -> None:
    an_evaluation(tmp_path / "run", TEXT)
    options = ("--engine", "fake")
    done = CliRunner().invoke(app, ["probe", str(tmp_path / "run"), "--ckpt", str(tmp_path / "run"), *options])
    assert done.exit_code == 2
    assert "has no checkpoint of the steps that were evaluated (0); it has none" in " ".join(done.output.split())
    (tmp_path / "run" / "checkpoints" / "step=000000" / "policy").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "step=000005" / "policy").mkdir(parents=True)
    asked = _of_model(RunDir(tmp_path / "run").evaluations(), str(tmp_path / "run"))
    assert [directory.step for directory in asked] == [0]
