"""Every group of entry points: the object of another package is found, named on results, and refused if unusable."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis.curves.response_curves import response_curves
from analysis.curves.response_metrics import added_metrics, added_metrics_named
from analysis.figures.registry import all_figures, drawn, get_figure
from analysis.step_moment.detectors import all_detectors, breaks_by, get_detector
from analysis.texts.lexicons import LEXICON_GROUP, get_lexicon
from orz_bench.asking.protocol import fingerprint_of, get_protocol
from orz_bench.benchmarks.loading.load import list_benchmarks, load_problems
from orz_bench.benchmarks.registry import added_benchmarks, get_benchmark
from orz_bench.engines.describe import card_facts
from orz_bench.engines.open import choose_engine
from orz_bench.engines.registry import get_engine, make_spec
from orz_bench.errors import ConfigError
from orz_bench.evaluation.plans import choose, plan
from orz_bench.models.checkpoint import ModelIdentity
from orz_rl.ppo.estimate import estimate
from orz_rl.ppo.parts import OBJECTIVES, reward_reference
from orz_rl.recipes.registry import resolve
from orz_rl.training.parts import parts_of
from tests.support.builders import a_problem
from tests.support.feature_frames import some_features
from tests.support.plugin_site import PluginSite, on_the_path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[PluginSite]:
    with on_the_path(tmp_path / "site") as site:
        yield site


ASKING = """
from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.engines.registry import ENGINES
from dataclasses import replace
from orz_bench.records.rollout import Problem
def one():
    return [Problem(benchmark="capitals", problem_id="x", question="1?", gold="1", kind="math")]
FACTS = {"title": "C", "aliases": ("cap",), "kind": "math", "num_problems": 1, "licence": "-"}
CAPITALS = Benchmark(name="capitals", generate=one, **FACTS)
BAD = replace(CAPITALS, name="../up")
ECHO = replace(ENGINES["fake"], name="echo", title="echo 3")
"""


def test_a_benchmark_and_an_engine_are_on_the_card(site: PluginSite) -> None:
    benchmarks = {"capitals": "asking:CAPITALS", "../up": "asking:BAD", "arithmetic": "asking:CAPITALS"}
    site.add("asking", {"orz.benchmarks": benchmarks, "orz.engines": {"echo": "asking:ECHO"}}, source=ASKING)
    benchmark = get_benchmark("cap")
    assert benchmark is not None
    assert (benchmark.name, benchmark.package) == ("capitals", "asking 1.0")
    assert [p.problem_id for p in load_problems(benchmark).problems] == ["x"]
    assert ("capitals", "in asking 1.0") in [(row.name, row.found) for row in list_benchmarks([])]
    _, faults = added_benchmarks()
    assert [fault.name for fault in faults] == ["../up", "arithmetic"]
    assert "is not made of letters" in str(faults[0])
    assert choose_engine("echo")[0] == "echo"
    spec = make_spec(name="echo", checkpoint="c", dtype="unknown")
    chosen = choose(benchmark, get_protocol("orz"), engine="echo", folders=())
    model = ModelIdentity(label="m", step=0, digest="d")
    card = plan(chosen, model, facts=card_facts(spec), seed=1).card
    assert card.plugins == {"engine": "asking 1.0", "benchmark": "asking 1.0"}
    others = dict(card.to_json()) | {"plugins": {"engine": "asking 1.0", "benchmark": "asking 1.1"}}
    assert fingerprint_of(others) != card.fingerprint
    ours = choose(get_benchmark("arithmetic"), get_protocol("orz"), engine="fake", folders=())
    facts = card_facts(make_spec(name="fake", checkpoint="c", dtype="unknown"))
    assert "plugins" not in plan(ours, model, facts=facts, seed=1).card.to_json()


READING = """
from analysis.texts.lexicons import Lexicon
from analysis.figures.registry import Figure
from analysis.curves.response_metrics import ResponseMetric
from analysis.step_moment.breaks import Break
from analysis.step_moment.detectors import Detector
PLEASE = Lexicon(name="please", version=2, source="-", patterns={"please": "please"})
EMPTY = Lexicon(name="empty", version=1, source="-", patterns={"any": "x*"})
NONE = Figure("none", "", "-", lambda groups: 1 / 0)
HALF = ResponseMetric("mine/half", "share", "half", values=lambda features: features["reflections"] * 0 + 0.5)
BROKEN = ResponseMetric("mine/broken", "share", "broken", values=lambda features: features["absent"])
LACKING = ResponseMetric("mine/lacking", "share", "lacking")
def first(steps, values, *, metric, seed):
    facts = {"low": 0.0, "high": 1.0, "kind": "level", "size": 1.0, "p_value": 0.0, "rebound": False}
    return [Break(metric=metric, step=steps[0], **facts)]
FIRST = Detector("first", "-", first)
LAST = Detector("last", "-", lambda steps, values, *, metric, seed: ["x"])
"""


def test_what_analysis_finds_bears_the_name_of_its_package(site: PluginSite) -> None:
    names = {"mine/half": "HALF", "mine/broken": "BROKEN", "mine/lacking": "LACKING"}
    site.add(
        "reading",
        {
            "orz.lexicons": {"please": "reading:PLEASE", "empty": "reading:EMPTY"},
            "orz.figures": {"none": "reading:NONE"},
            "orz.metrics": {name: f"reading:{attribute}" for name, attribute in names.items()},
            "orz.detectors": {"first": "reading:FIRST", "last": "reading:LAST"},
        },
        source=READING,
    )
    assert get_lexicon("please").label == "please v2 of reading 1.0"
    assert get_lexicon("orz-code").label == "orz-code v1"
    _, (fault,) = LEXICON_GROUP.load_all()
    assert "the pattern any matches the empty text" in str(fault)
    with pytest.raises(ConfigError, match=r"figure none of reading 1\.0 failed \(ZeroDivisionError"):
        drawn(get_figure("none"), [])
    assert [figure.name for figure in all_figures()[0]][-1] == "none"
    added, (fault,) = added_metrics()
    assert [(metric.name, metric.package) for metric in added] == [
        ("mine/broken", "reading 1.0"),
        ("mine/half", "reading 1.0"),
    ]
    assert "mine/lacking" in str(fault)
    features = some_features(["one two", "wait, three"])
    curves = response_curves(features, added=added_metrics_named(["reward/mean", "mine/half"]))
    assert curves["mine/half"].tolist() == [0.5] * len(curves)
    with pytest.raises(ConfigError, match=r"metric mine/broken of reading 1\.0 failed \(KeyError"):
        response_curves(features, added=added_metrics_named(["mine/broken"]))
    steps = np.arange(5.0)
    assert get_detector("first").label == "first of reading 1.0"
    assert [one.step for one in breaks_by(get_detector("first"), steps, values=steps, metric="m", seed=0)] == [0.0]
    with pytest.raises(ConfigError, match=r"detector last of reading 1\.0 found something other than Breaks"):
        breaks_by(get_detector("last"), steps, values=steps, metric="m", seed=0)
    assert [detector.name for detector in all_detectors()[0]] == ["structural", "first", "last"]


TRAINING = """
from orz_rl.ppo.parts import Advantage, Estimate, Objective, PolicyLoss
def signs(inputs):
    raw_BT = (inputs.rewards_BT.sum(dim=1, keepdim=True) * 2 - 1) * inputs.mask_BT
    return Estimate(raw_BT, raw_BT, None)
SIGNS = Advantage(name="signs", compute=signs)
SHORT = Advantage(name="short", compute=lambda inputs: Estimate(inputs.mask_BT[:, :1], inputs.mask_BT, None))
def plain(logprobs_N, old_logprobs_N, *, advantages_N, weights_N, clip_low, clip_high):
    loss = -(logprobs_N * advantages_N * weights_N).sum()
    return PolicyLoss(loss=loss, clipped=loss.detach() * 0, approximate_kl=loss.detach() * 0)
PLAIN = Objective(name="plain", compute=plain)
def paid(problem, completion, grade): return 0.5
"""


def test_advantages_losses_and_rewards_of_other_packages(site: PluginSite) -> None:
    site.add(
        "trained",
        {
            "orz.advantages": {"signs": "trained:SIGNS", "short": "trained:SHORT"},
            "orz.losses": {"plain": "trained:PLAIN"},
            "orz.rewards": {"paid": "trained:paid"},
        },
        source=TRAINING,
    )
    names = ["advantage.estimator=signs", "loss.objective=plain", "reward.function=paid"]
    config = resolve("tiny", overrides=names)
    assert not config.has_critic
    parts = parts_of(config, problem=a_problem())
    assert {name: part["package"] for name, part in parts.items()} == dict.fromkeys(
        ("reward.function", "advantage.estimator", "loss.objective"), "trained 1.0"
    )
    assert all(len(part["sha256"]) == 64 for part in parts.values())
    rewards, mask = torch.tensor([[0.0, 1.0], [0.0, 0.0]]), torch.ones(2, 2)
    arguments: dict[str, Any] = {
        "values_BT": None,
        "group_B": torch.tensor([0, 0]),
        "mask_BT": mask,
        "discounts": config.advantage,
    }
    found = estimate("signs", rewards, **arguments)
    assert found.advantages_BT.tolist() == [[1.0, 1.0], [-1.0, -1.0]]
    with pytest.raises(ConfigError, match=r"advantage estimator short of trained 1\.0 returned \(2, 1\) numbers"):
        estimate("short", rewards, **arguments)
    assert reward_reference("paid") == ("trained:paid", "trained 1.0")
    assert OBJECTIVES.load("plain").name == "plain"
    with pytest.raises(ConfigError, match=r"advantage.estimator is 'sings': wanted one of gae, .*did you mean 'signs'"):
        resolve("tiny", overrides=["advantage.estimator=sings"])
    with pytest.raises(ConfigError, match=r"advantage\.lam is 0\.5, but advantage\.estimator=signs does not use it"):
        resolve("tiny", overrides=["advantage.estimator=signs", "advantage.lam=0.5"])


def test_two_rewards_of_one_name_are_no_ones(site: PluginSite) -> None:
    for package in ("trained_a", "trained_b"):
        site.add(package, {"orz.rewards": {"paid": f"{package}:paid"}}, source=TRAINING)
    with pytest.raises(ConfigError, match=r"reward 'paid' is the name of two: of trained_. 1\.0 and trained_. 1\.0"):
        reward_reference("paid")


def test_names_of_ours_need_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def searched(**_: object) -> None:
        raise AssertionError("entry points were looked up")

    monkeypatch.setattr(metadata, "entry_points", searched)
    assert get_benchmark("gpqa").name == "gpqa_diamond"
    assert get_engine("fake").package == ""
    assert get_lexicon("extended").name == "extended"
    assert get_figure("training").name == "training"
    assert get_detector("structural").name == "structural"
    assert added_metrics_named(["reward/mean", "reflection/rate", "policy/entropy"]) == []
    config = resolve("tiny", overrides=["advantage.estimator=grpo"])
    assert parts_of(config, problem=a_problem()) == {}
