"""Recipes, variants and overrides: all load, all faults are reported together, published numbers are unchanged."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import pytest
import yaml

from orz_bench.errors import ConfigError
from orz_rl.config import TrainConfig
from orz_rl.recipes.distill import on_policy, supervised
from orz_rl.recipes.registry import RECIPES, as_yaml, differences, leaves, resolve
from orz_rl.recipes.variants import VARIANTS
from orz_rl.settings.distill import AnswerChoice, AnswerSource


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_loads_and_survives_yaml(recipe: str) -> None:
    config = resolve(recipe)
    assert TrainConfig.model_validate(yaml.safe_load(as_yaml(config))) == config


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_changes_every_kind_of_base(variant: str) -> None:
    for recipe in ("tiny", "orz_7b"):
        assert resolve(recipe, variants=[variant]) != resolve(recipe)


def test_annealing_a_recipe_is_what_was_published_for_the_largest() -> None:
    found, published = resolve("orz_32b", variants=["anneal"]), resolve("orz_32b_anneal")
    assert differences(found.model_dump(), published.model_dump()) == [
        "data.source: found ('data/orz_32b_hard.json',), wanted ('data/orz_math_13k_collection_hard.json',)"
    ]
    tiny = resolve("tiny", variants=["anneal"])
    assert tiny.model.policy == "runs/tiny/checkpoints/step=000040/policy"
    assert (tiny.data.source, tiny.data.limit, tiny.num_steps) == (("data/tiny_hard.json",), None, 20)
    assert resolve("orz_7b_grpo", variants=["anneal"]).model.critic is None


def test_curated_data_and_the_ablations_of_data_combine() -> None:
    data = resolve("orz_7b", variants=["curated", "data_8k", "english_only"]).data
    assert (data.source, data.limit, data.language) == (("data/orz-mix/train.jsonl",), 8000, "english")


def test_the_reference_setting() -> None:
    config = resolve("orz_7b")
    assert (config.rollout.num_problems, config.rollout.num_samples, config.num_rollouts) == (128, 64, 8192)
    assert (config.rollout.temperature, config.rollout.top_p, config.rollout.max_tokens) == (1.0, 1.0, 8000)
    assert (config.advantage.estimator, config.advantage.gamma, config.advantage.lam) == ("gae", 1.0, 1.0)
    assert (config.optim.policy_updates, config.optim.critic_updates) == (1, 12)
    assert (config.optim.policy_lr, config.optim.critic_lr) == (1e-6, 5e-6)
    assert (config.optim.policy_warmup_updates, config.optim.critic_warmup_updates) == (50, 50)
    assert (config.loss.clip_low, config.loss.clip_high, config.loss.value_clip) == (0.2, 0.2, 0.2)
    assert not config.has_reference
    assert config.cluster.pack_tokens == 16_384
    assert resolve("orz_32b").cluster.colocate is False
    assert not resolve("orz_7b_grpo").has_critic


def test_the_distilled_model_is_trained_by_the_papers_ppo_in_its_own_template_and_lengths() -> None:
    config, published = resolve("orz_r1_distill_14b"), resolve("orz_7b")
    for section in ("advantage", "loss", "optim", "seed"):
        assert getattr(config, section) == getattr(published, section)
    assert (config.rollout.num_problems, config.rollout.num_samples) == (128, 64)
    assert config.model.policy == "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B"
    assert (config.data.template, config.reward.extractor, config.rollout.stop) == ("chat", "boxed", ())
    assert config.rollout.max_tokens == 32_768


def test_any_recipe_becomes_a_distillation() -> None:
    for recipe in RECIPES:
        learns_answers = resolve(recipe, overrides=supervised("runs/=odd: 1e3"))
        assert (learns_answers.distill.source, learns_answers.is_supervised) == ("runs/=odd: 1e3", True)
        assert (learns_answers.num_rollouts, learns_answers.has_critic, learns_answers.has_reference) == (
            64,
            False,
            False,
        )
        learns_teacher = resolve(recipe, overrides=on_policy("12"))
        assert (learns_teacher.distill.teacher, learns_teacher.is_supervised) == ("12", False)
        assert (learns_teacher.has_critic, learns_teacher.has_reference) == (False, True)
    tiny, distilled = (resolve(name).model_dump(mode="json") for name in ("tiny", "tiny_distill"))
    changed = {line.partition(":")[0].partition(".")[0] for line in differences(tiny, distilled)}
    assert changed <= {"distill", "advantage", "loss", "optim", "eval", "checkpoint", "num_steps"}


@pytest.mark.parametrize(
    ("text", "place", "choice"),
    [
        ("runs/tiny", "runs/tiny", {}),
        ("a:b/c=d", "a:b/c=d", {}),
        ("answers.jsonl:limit=64:prefer=shortest", "answers.jsonl", {"limit": 64, "prefer": "shortest"}),
        ("r:against=math500,aime24:per_problem=2", "r", {"against": ("math500", "aime24"), "per_problem": 2}),
    ],
)
def test_the_source_of_answers_and_its_options(text: str, place: str, choice: dict[str, Any]) -> None:
    found = AnswerSource.parse(text)
    assert (found.place, found.choice) == (place, AnswerChoice(**choice))
    assert AnswerSource.parse(found.text) == found


def test_learning_rates_warm_up_and_anneal() -> None:
    """In optimizer steps: one of the policy a step, twelve of the critic, which is whole in the fifth."""
    config = resolve("orz_7b")
    assert config.learning_rates(25) == pytest.approx((0.5e-6, 5e-6))
    assert config.critic_rates(1) == pytest.approx([5e-6 * update / 50 for update in range(1, 13)])
    assert config.critic_rates(5) == pytest.approx([4.9e-6, *[5e-6] * 11])
    assert config.policy_rates(50) == [1e-6]
    assert config.learning_rates(5000) == (1e-6, 5e-6)
    anneal = resolve("orz_32b_anneal")
    assert anneal.learning_rates(50)[0] == pytest.approx((1e-6 + 3e-7) / 2)
    assert anneal.learning_rates(100)[0] == pytest.approx(3e-7)


def test_all_faults_are_reported_at_once_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("tiny", overrides=["optim.policy_l=1", "num_step=3", "rollout.top_p=2", "nonsense"])
    text = str(caught.value)
    assert "4 settings cannot work" in text
    assert "did you mean 'optim.policy_lr'" in text
    assert "did you mean 'num_steps'" in text
    assert "rollout.top_p is 2" in text


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("rollout.max_tokens=9000", "cluster.pack_tokens is 2,048"),
        ("data.source=", "data.source is empty"),
        ("data.template=orz", "data.template is 'orz'"),
        ("reward.extractor=x", "reward.extractor is 'x'"),
        ("reward.overlong_buffer=500", "wanted less than rollout.max_tokens"),
        ("optim.critic_updates=999", "a step has 256 rollouts"),
        ("cluster.in_process=true rollout.tensor_parallel=2", "rollout.tensor_parallel to 1"),
        ("cluster.device=cuda rollout.engine=transformers rollout.tensor_parallel=2", "rollout.engine=vllm"),
        ("cluster.device=cuda rollout.tensor_parallel=2", "as the engines have devices (2)"),
        ("model.attention=flash_attention_2", "needs a GPU"),
        ("model.dtype=bfloat16", "needs cluster.zero_stage=1 or higher"),
        ("cluster.weight_sync=ipc rollout.num_engines=2", "do not share devices"),
        (
            "critic.warmup_steps=5 advantage.estimator=rloo",
            "critic.warmup_steps is 5, but advantage.estimator=rloo has",
        ),
        ("critic.from=c advantage.estimator=rloo", "critic.from is c, but advantage.estimator=rloo has no critic"),
        ("critic.warmup_steps=40", "num_steps is 40, so the policy would never learn"),
        ("critic.warmup_steps=38 optim.final_lr=1e-5", "has only 2 optimizer steps"),
        ("critic.warmup_steps=-1", "critic.warmup_steps is -1: input should be greater than or equal to 0"),
        ("critic.warm_up=1", "did you mean 'critic.warmup_steps'"),
        ("critic.from=a model.critic=b", "a critic starts from one of them"),
        ("advantage.lam_policy=1.01", "advantage.lam_policy is 1.01: input should be less than or equal to 1"),
        ("advantage.lam_value=-0.1", "advantage.lam_value is -0.1: input should be greater than or equal to 0"),
        ("advantage.lam_policy=.nan", "advantage.lam_policy is nan"),
        ("advantage.lam_alpha=0", "advantage.lam_alpha is 0: input should be greater than 0"),
        ("advantage.lam_alpha=0.005", "is 0 for every response up to rollout.max_tokens=112"),
        ("advantage.lam_alpha=0.05 advantage.lam_policy=0.9", "both set the lambda of the policy's advantages"),
        ("advantage.lam_policy=0.9 advantage.estimator=grpo", "does not use it; leave it out, or use advantage.es"),
        ("advantage.lam_value=1 advantage.estimator=grpo", "advantage.lam_value is 1.0, but"),
        ("loss.positive_nll=-1", "loss.positive_nll is -1"),
        (
            "loss.positive_nll=0.1 advantage.estimator=reverse_kl distill.teacher=t",
            "loss.positive_nll is about rewarded responses",
        ),
    ],
)
def test_contradictions_are_reported(override: str, wanted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("tiny", overrides=override.split())
    assert wanted in str(caught.value)


def test_groups_of_one_have_nothing_to_compare() -> None:
    with pytest.raises(ConfigError, match="needs at least 2"):
        resolve("tiny", overrides=["advantage.estimator=grpo", "rollout.num_samples=1"])


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("optim.policy_lr=2e-6", ("optim", "policy_lr"), 2e-6),
        ("data.source=a.json,b.json", ("data", "source"), ("a.json", "b.json")),
        ("eval.benchmarks=", ("eval", "benchmarks"), ()),
        ("loss.value_clip=null", ("loss", "value_clip"), None),
        ("rollout.stop=[a, b]", ("rollout", "stop"), ("a", "b")),
    ],
)
def test_overrides_read_like_yaml(override: str, key: tuple[str, str], value: object) -> None:
    config = resolve("tiny", overrides=[override])
    assert getattr(getattr(config, key[0]), key[1]) == value


def test_every_setting_is_explained_and_there_are_few() -> None:
    fields = dict(leaves())
    assert len(fields) <= 105
    assert all(field.description for field in fields.values())


def test_differences_name_the_leaf() -> None:
    found, wanted = (resolve("tiny", overrides=[f"optim.policy_lr={lr}"]).model_dump() for lr in ("1e-4", "2e-4"))
    assert differences(found, wanted) == ["optim.policy_lr: found 0.0001, wanted 0.0002"]


def test_annealing_ends_at_the_last_optimizer_step() -> None:
    config = resolve("tiny", overrides=["optim.final_lr=1e-5", "optim.policy_updates=4", "num_steps=10"])
    rates = [rate for step in range(1, 11) for rate in config.policy_rates(step)]
    assert len(rates) == 40
    assert rates[:5] == pytest.approx([2e-4 * update / 5 for update in range(1, 6)])
    assert rates[-1] == pytest.approx(1e-5)
    steps = [left - right for left, right in pairwise(rates[4:])]
    assert steps == pytest.approx([steps[0]] * len(steps)), "linear"
    assert len({rate for step in (1, 2) for rate in config.critic_rates(step)}) == 8, "the critic warms up in 20"


def test_the_warm_up_of_old_is_read_with_its_meaning() -> None:
    """It counted generations for both models."""
    config = resolve("orz_7b", overrides=["optim.warmup_steps=50"])
    assert (config.optim.policy_warmup_updates, config.optim.critic_warmup_updates) == (50, 600)
    assert resolve("tiny", overrides=["optim.warmup_steps=5"]) == resolve("tiny")
    with pytest.raises(ConfigError, match="both set the warm-up"):
        resolve("tiny", overrides=["optim.warmup_steps=5", "optim.critic_warmup_updates=3"])
    with pytest.raises(ConfigError, match="policy_warmup_updates"):
        resolve("tiny", overrides=["optim.warmup_steps=.nan"])


def test_a_setting_whose_name_is_a_keyword_is_one_like_the_others() -> None:
    config = resolve("tiny", overrides=["critic.from=runs/a critic", "critic.warmup_steps=3"])
    assert config.critic.source == "runs/a critic"
    assert TrainConfig.model_validate(yaml.safe_load(as_yaml(config))) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert "critic:\n  warmup_steps: 3\n  from: runs/a critic\n" in as_yaml(config)


@pytest.mark.parametrize("recipe", ["tiny", "orz_7b", "orz_7b_grpo", "smollm2"])
def test_vc_ppo_and_vapo_are_the_numbers_of_their_papers(recipe: str) -> None:
    """The papers' tables; whatever they do not give is the recipe's."""
    plain, vc_ppo, vapo = (resolve(recipe, variants=each) for each in ((), ("vc_ppo",), ("vapo",)))
    assert (vc_ppo.advantage.lam_policy, vc_ppo.advantage.lam_value, vc_ppo.advantage.gamma) == (0.95, 1.0, 1.0)
    assert (vc_ppo.critic.warmup_steps, vc_ppo.num_steps) == (100, plain.num_steps + 100)
    assert (vc_ppo.loss, vc_ppo.rollout) == (plain.loss, plain.rollout)
    assert (vapo.advantage.lam_alpha, vapo.advantage.lam_value, vapo.advantage.gamma) == (0.05, 1.0, 1.0)
    assert (vapo.critic.warmup_steps, vapo.num_steps) == (50, plain.num_steps + 50)
    loss = vapo.loss
    assert (loss.clip_low, loss.clip_high, loss.positive_nll, loss.normalisation) == (0.2, 0.28, 0.1, "token")
    assert (vapo.rollout.num_samples, vapo.num_rollouts) == (16, plain.num_rollouts)
    for config in (vc_ppo, vapo):
        assert config.has_critic
        assert config.optim.policy_lr == plain.optim.policy_lr
        assert config.optim.critic_lr == 2 * plain.optim.policy_lr
    assert resolve("orz_7b", variants=["vapo"]).rollout.num_problems == 512


@pytest.mark.parametrize(
    ("variant", "key", "value"),
    [
        ("temperature_1p2", "rollout.temperature", 1.2),
        ("temperature_0p6_top_p_0p95", "rollout.top_p", 0.95),
        ("temperature_0p6_top_p_0p95", "rollout.temperature", 0.6),
        ("data_7p5k", "data.limit", 7500),
    ],
)
def test_the_ablations_of_the_paper(variant: str, key: str, value: float) -> None:
    section, name = key.split(".")
    assert getattr(getattr(resolve("orz_7b", variants=[variant]), section), name) == value
