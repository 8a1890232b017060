"""Every recipe's configuration for verl, OpenRLHF and SkyRL, built by their own parsers and classes.

Needs their packages unpacked without dependencies, and the few libraries that their configuration imports, in a folder:

    python benchmarks/other_trainers.py DIR LIBRARIES

DIR has the wheels of verl 0.9.1, openrlhf 0.11.2 and skyrl 0.4.0, unzipped into DIR/verl, DIR/openrlhf and DIR/skyrl.
LIBRARIES has, installed with pip's --no-deps and --target: hydra-core 1.3.8, omegaconf 2.3.1, antlr4-python3-runtime
4.9.3, tensordict 0.10.0, pyvers, orjson, torchdata, codetiming, cloudpickle, loguru, cloudpathlib, jaxtyping and
wadler-lindig.

What it shows: that each accepts every key, with these types and combinations, and that verl's arithmetic of losses,
advantages and rates is ours where the table says so. What it does not: that they train.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from _record import HERE, keep

sys.path.insert(0, str(HERE.parent))

from orz_bench.errors import ConfigError
from orz_rl.assets.resolve import TINY
from orz_rl.backends.external.mapping.table import Target
from orz_rl.recipes.registry import RECIPES, resolve

VARIANTS = ((), ("grpo",), ("dr_grpo",), ("rloo",), ("reinforce_pp",), ("kl_loss",), ("kl_penalty",), ("off_policy_4",))
Build = Callable[[Target, Path], dict[str, Any]]


def main() -> None:
    """Check each in a process of its own: their modules are not made to live together."""
    if len(sys.argv) == 4:
        tool, folder, own = sys.argv[1], Path(sys.argv[2]) / sys.argv[1], sys.argv[3]
        sys.path[:0] = [own, str(folder), str(folder / "skyrl-gym")]
        print(json.dumps(built(tool, folder)))
        return
    if len(sys.argv) != 3:
        print("name the folders of the packages and the libraries; see the first lines of this script", file=sys.stderr)
        return
    packages, libraries = sys.argv[1:]
    result = {}
    for tool in BUILDS:
        command = [sys.executable, __file__, tool, packages, libraries]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        result[tool] = json.loads(done.stdout.splitlines()[-1])
    keep("other_trainers", result)


def built(tool: str, package: Path) -> dict[str, Any]:
    """What the tool makes of every recipe and variant."""
    faults: dict[str, str] = {}
    example: dict[str, Any] = {}
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, config in configurations():
            count += 1
            target = Target(config=config, policy=str(TINY), critic=str(TINY), folder=Path(folder) / name / tool)
            try:
                found = _built_one(tool, package, target)
            except Exception as error:
                faults[name] = f"{type(error).__name__}: {str(error)[:300]}"
                continue
            example = found if name == "orz_7b" else example
    metadata = next(package.glob("*.dist-info/METADATA")).read_text(encoding="utf-8").splitlines()
    version = next(line.partition(": ")[2] for line in metadata if line.startswith("Version: "))
    result = {"version": version, "configurations": count, "failed": faults, "orz_7b": example}
    return result | ({"largest difference from ours": verl_arithmetic()} if tool == "verl" else {})


def _built_one(tool: str, package: Path, target: Target) -> dict[str, Any]:
    target.folder.mkdir(parents=True)
    with contextlib.redirect_stdout(io.StringIO()):
        return BUILDS[tool](target, package)


def configurations() -> Iterator[tuple[str, Any]]:
    """Every recipe with every variant that it can have, as for a GPU."""
    for recipe in RECIPES:
        for variants in VARIANTS:
            with contextlib.suppress(ConfigError):
                gpu = ("cluster.device=cuda", "model.dtype=bfloat16", "cluster.zero_stage=3")
                yield "-".join([recipe, *variants]), resolve(recipe, variants=variants, overrides=gpu)


def build_verl(target: Target, package: Path) -> dict[str, Any]:
    """Composed by Hydra over verl's defaults, then checked and built as main_ppo does."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    from orz_rl.backends.external.verl.trainer import TRAINER

    TRAINER.write(target)
    defaults = f"hydra.searchpath=[file://{package}/verl/trainer/config]"
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(target.folder), version_base=None):
        config = compose("orz", overrides=[defaults])
    OmegaConf.resolve(config)
    validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    for name in ("algorithm", "critic", "actor_rollout_ref.actor", "actor_rollout_ref.rollout"):
        omega_conf_to_dataclass(OmegaConf.select(config, name))
    return {
        "critic optimizer steps": config.data.train_batch_size // config.critic.ppo_mini_batch_size,
        "gpus": config.trainer.nnodes * config.trainer.n_gpus_per_node,
    }


def build_openrlhf(target: Target, package: Path) -> dict[str, Any]:
    """Parsed and checked by the script itself, up to the call that starts training."""
    from orz_rl.backends.external.openrlhf.trainer import TRAINER

    path = package / "openrlhf" / "cli" / "train_ppo_ray.py"
    main_block = next(node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.If))
    body = [node for node in main_block.body if ast.unparse(node) != "train(args)"]
    assert len(body) == len(main_block.body) - 1
    _bare(package, "openrlhf", "openrlhf.utils")
    spec = importlib.util.spec_from_file_location("openrlhf.utils.config", package / "openrlhf" / "utils" / "config.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["openrlhf.utils.config"] = module
    _, _, _, *arguments = TRAINER.command(target, "python")
    before, sys.argv = sys.argv, ["train_ppo_ray", *arguments]
    names: dict[str, Any] = {"argparse": argparse, "os": os, "datetime": datetime}
    try:
        exec(compile(ast.Module(body, []), str(path), "exec"), names)
    except SystemExit as error:
        raise ValueError(f"its parser refuses {arguments}") from error
    finally:
        sys.argv = before
    parsed = names["args"]
    steps = target.config.num_rollouts // parsed.train.batch_size
    return {"critic optimizer steps": steps, "gpus": parsed.actor.num_nodes * parsed.actor.num_gpus_per_node}


def build_skyrl(target: Target, package: Path) -> dict[str, Any]:
    """Its strict configuration classes, and its checks of batches and algorithm."""
    _bare(package, "skyrl", "skyrl.train", *(f"skyrl.backends{rest}" for rest in ("", ".skyrl_train")))
    _bare(package, "skyrl.backends.skyrl_train.inference_servers", "skyrl.backends.skyrl_train.utils")
    from skyrl.train.config.config import SkyRLTrainConfig

    from orz_rl.backends.external.skyrl.trainer import TRAINER

    _, _, _, _, *arguments = TRAINER.command(target, "python")
    config = SkyRLTrainConfig.from_cli_overrides(arguments)
    trainer = config.trainer
    assert trainer.train_batch_size % trainer.policy_mini_batch_size == 0
    assert trainer.train_batch_size % trainer.critic_mini_batch_size == 0
    assert not (trainer.algorithm.use_kl_in_reward and trainer.algorithm.use_kl_loss)
    return {
        "critic optimizer steps": trainer.train_batch_size // trainer.critic_mini_batch_size,
        "gpus": trainer.placement.policy_num_nodes * trainer.placement.policy_num_gpus_per_node,
    }


def _bare(package: Path, *names: str) -> None:
    """Packages without their __init__, which would import everything."""
    for name in names:
        if name not in sys.modules:
            module = types.ModuleType(name)
            module.__path__ = [str(package / name.replace(".", "/"))]
            sys.modules[name] = module


def verl_arithmetic() -> dict[str, float]:
    """Largest difference between verl's functions, with the generated settings, and ours on the same random numbers."""
    import torch

    torch.manual_seed(0)
    lengths = torch.randint(1, 31, (12,))
    batch = Batch(
        lengths=lengths,
        mask=(torch.arange(30)[None] < lengths[:, None]).float(),
        rewards=(torch.rand(12) < 0.4).float(),
        groups=torch.arange(4).repeat_interleave(3),
        old=-torch.rand(12, 30),
        new=-torch.rand(12, 30),
        advantages=torch.randn(12, 30),
        returns=torch.rand(12, 30),
    )
    found = advantages_compared(batch) | losses_compared(batch)
    return found | {"policy's rate, relative, 79 steps": rates_compared()}


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Random numbers for both: twelve responses of at most thirty tokens, in groups of three."""

    lengths: Any
    mask: Any
    rewards: Any
    groups: Any
    old: Any
    new: Any
    advantages: Any
    returns: Any

    def difference(self, theirs: Any, ours: Any) -> float:
        """The largest at a token of a response."""
        return float((theirs.double() * self.mask - ours.double() * self.mask).abs().max())


def advantages_compared(batch: Batch) -> dict[str, float]:
    """By a critic and by groups."""
    import torch
    from verl.trainer.ppo import core_algos

    from orz_rl.ppo import advantages

    mask, rewards, values = batch.mask, torch.zeros_like(batch.mask), batch.new
    rewards[torch.arange(12), batch.lengths - 1] = batch.rewards
    theirs, returns = core_algos.compute_gae_advantage_return(rewards, values * mask, mask, gamma=1.0, lam=0.95)
    ours = advantages.gae(rewards, values, mask_BT=mask, gamma=1.0, gae_lambda=0.95)
    bessel = ((mask.sum() - 1) / mask.sum()).sqrt()  # verl's deviation is the unbiased one
    found = {
        "gae: returns": batch.difference(returns, ours + values),
        "gae: whitened, apart from Bessel's correction": batch.difference(
            theirs / bessel, advantages.whiten(ours, mask)
        ),
    }
    group = batch.groups.numpy()
    for name, by_std, mine in (("grpo", True, advantages.grpo), ("dr_grpo", False, advantages.group_centred)):
        theirs, _ = core_algos.compute_grpo_outcome_advantage(rewards, mask, group, norm_adv_by_std_in_grpo=by_std)
        ours = advantages.spread_over_tokens(mine(batch.rewards, batch.groups), mask)
        found[name] = batch.difference(theirs, ours)
    theirs, _ = core_algos.compute_rloo_outcome_advantage(rewards, mask, group)
    ours = advantages.spread_over_tokens(advantages.rloo(batch.rewards, batch.groups), mask)
    return found | {"rloo": batch.difference(theirs, ours)}


def losses_compared(batch: Batch) -> dict[str, float]:
    """Policy's and critic's under each normalisation, and the estimates of KL."""
    from verl.trainer.ppo import core_algos

    from orz_rl.ppo import losses

    found = {}
    new, old, mask = batch.new, batch.old, batch.mask
    own = _Settings(clip_ratio=0.2, clip_ratio_low=0.2, clip_ratio_high=0.28, clip_ratio_c=1e9)
    own["global_batch_info"] = {"loss_scale_factor": 50}
    for normalisation, mode in (
        ("token", "token-mean"), ("sequence", "seq-mean-token-mean"), ("constant", "seq-mean-token-sum-norm"),
    ):  # fmt: skip
        weights = losses.token_weights(batch.lengths, normalisation, constant=50)[:, None] * mask
        ours = losses.value_loss(new, old, returns_N=batch.returns, weights_N=weights, clip=0.2)
        theirs, _ = core_algos.compute_value_loss(
            new, batch.returns, old, mask, 0.2, loss_agg_mode=mode, loss_scale_factor=50
        )
        found[f"value loss, {normalisation}"] = abs(float(theirs) - float(ours))
        ours = losses.policy_loss(
            new, old, advantages_N=batch.advantages, weights_N=weights, clip_low=0.2, clip_high=0.28
        ).loss
        theirs, _ = core_algos.compute_policy_loss_vanilla(
            old, new, batch.advantages, mask, loss_agg_mode=mode, config=own
        )
        found[f"policy loss, {normalisation}"] = abs(float(theirs) - float(ours))
    for estimator in ("k1", "k2", "k3"):
        ours = losses.kl_estimate(new, old, estimator=estimator)
        found[f"kl {estimator}"] = batch.difference(core_algos.kl_penalty(new, old, estimator), ours)
    return found


def rates_compared() -> float:
    """The policy's learning rate of orz_7b's first steps: verl's cosine with equal ends, and ours."""
    import torch
    from verl.utils.torch_functional import get_cosine_schedule_with_warmup

    config = resolve("orz_7b")
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=config.optim.policy_lr)
    schedule = get_cosine_schedule_with_warmup(
        optimizer, num_warmup_steps=50, num_training_steps=config.num_steps, min_lr_ratio=1.0, zero_indexed_step=False
    )
    differences = []
    for step in range(1, 80):
        differences.append(abs(schedule.get_last_lr()[0] - config.policy_rates(step)[-1]) / config.optim.policy_lr)
        optimizer.step()
        schedule.step()
    return max(differences)


class _Settings(dict[str, Any]):
    """verl's functions read keys and attributes."""

    __getattr__ = dict.__getitem__


BUILDS: dict[str, Build] = {"verl": build_verl, "openrlhf": build_openrlhf, "skyrl": build_skyrl}

if __name__ == "__main__":
    main()
