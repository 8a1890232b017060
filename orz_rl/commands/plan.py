"""orz-rl plan."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from orz_bench.commands.options import takes_options
from orz_bench.terminal import Json, print_result, reports_errors, result_console, stderr_console
from orz_rl.commands.train import Overrides, Recipe, Variant

if TYPE_CHECKING:
    from orz_rl.config import TrainConfig
    from orz_rl.planning.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What a run is planned for."""

    backend: Annotated[str, typer.Option(help="Trainer; see `orz-rl backends`.")] = "native"
    mean_tokens: Annotated[float, typer.Option(min=1, help="Assumed mean response length.")] = 2000.0
    gpus: Annotated[int | None, typer.Option(min=1, help="Available GPUs [default: as many as the recipe needs].")] = (
        None
    )
    gpu_memory_gib: Annotated[float, typer.Option(min=1, help="Memory of each GPU.")] = 80.0
    peak_tflops: Annotated[float, typer.Option(min=0.01, help="Dense bf16 peak of each GPU.")] = 989.0
    bandwidth_gib_s: Annotated[float, typer.Option(min=1, help="Memory bandwidth of each GPU.")] = 3120.0


@reports_errors
@takes_options
def plan_command(
    options: PlanOptions,
    *,
    recipe: Recipe,
    overrides: Overrides = None,
    variant: Variant = None,
    json_output: Json = False,
) -> None:
    """Estimate batches, memory and time per phase of a run. Starts nothing; exit code 2 if it does not fit.

    With another backend than native: what it would run, and the settings that it cannot express.
    """
    from orz_bench.errors import ConfigError, counted
    from orz_rl.planning.plan import Hardware, make_plan
    from orz_rl.recipes.registry import resolve

    config = resolve(recipe, variants=variant or (), overrides=overrides or ())
    if options.backend != "native":
        _show_plan_of(options.backend, config, json_output=json_output)
        return
    mean_tokens = min(options.mean_tokens, config.rollout.max_tokens)
    each = Hardware(options.gpu_memory_gib, options.peak_tflops, options.bandwidth_gib_s)
    plan = make_plan(config, each, mean_tokens=mean_tokens)
    facts = _facts(plan, mean_tokens=mean_tokens)
    enough = options.gpus is None or options.gpus >= plan.num_devices
    facts["fits"] = "yes" if plan.fits and enough else "no"
    warnings = list(plan.delays())
    if json_output:
        print_result(json.dumps(facts | {"warnings": warnings}, ensure_ascii=False))
    else:
        _show(facts)
    _warn(warnings)
    if not enough:
        raise ConfigError(
            f"{recipe} needs {counted(plan.num_devices, 'device')}, found {options.gpus}; lower cluster.policy_ranks, "
            f"cluster.critic_ranks and rollout.num_engines."
        )
    if not plan.fits:
        raise ConfigError("it does not fit; possible remedies:\n" + "\n".join(f"  {line}" for line in plan.advice()))


def _show(facts: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        table.add_row(name, Text(str(value)))
    result_console().print(table)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        stderr_console().print(f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _show_plan_of(name: str, config: TrainConfig, *, json_output: bool) -> None:
    """What another backend would run. ConfigError, after it is shown, for settings that it cannot express."""
    from orz_rl.backends.backend import errors_of
    from orz_rl.backends.registry import BACKENDS
    from orz_rl.backends.start import cannot_express

    backend = BACKENDS.load(name)
    findings, here = backend.check(config), backend.available()
    facts = {"backend": f"{name} {here.version or ''}".strip(), "missing here": here.missing or "nothing"}
    facts |= dict(backend.plan(config))
    errors = list(errors_of(findings))
    lost = [f"{name}: {finding}" for finding in findings if not finding.is_error]
    if json_output:
        print_result(json.dumps(facts | {"warnings": lost, "errors": list(map(str, errors))}, ensure_ascii=False))
    else:
        _show(facts)
    _warn(lost)
    if errors:
        raise cannot_express(name, errors)


def _facts(plan: Plan, *, mean_tokens: float) -> dict[str, Any]:
    """The printed values by name, in order."""
    from orz_rl.planning.plan import GIB

    config = plan.config
    optim, rollout = config.optim, config.rollout
    facts: dict[str, Any] = {
        "devices": plan.num_devices,
        "rollouts a step": config.num_rollouts,
        "  problems x samples": f"{rollout.num_problems} x {rollout.num_samples}",
        "rollouts a policy update": f"{config.num_rollouts / optim.policy_updates:g} ({optim.policy_updates} a step)",
        "rollouts an engine": f"{config.num_rollouts / rollout.num_engines:g}",
        "packs a policy rank and step, at least": -(
            -int(config.num_rollouts * mean_tokens) // (config.cluster.pack_tokens * config.cluster.policy_ranks)
        ),
        "longest sequence, tokens": config.max_sequence,
        "steps": config.num_steps,
    }
    if config.has_critic:
        facts["rollouts a critic update"] = (
            f"{config.num_rollouts / optim.critic_updates:g} ({optim.critic_updates} a step)"
        )
    for name, memory in (("policy", plan.policy), ("critic", plan.critic), ("reference", plan.reference)):
        if memory is not None:
            shares = {
                "weights": memory.weights,
                "gradients": memory.gradients,
                "optimiser": memory.optimizer,
                "working": memory.working,
            }
            parts = " + ".join(f"{share} {size / GIB:.2f}" for share, size in shares.items())
            facts[f"{name}, GiB a device"] = f"{memory.total / GIB:.2f} = {parts}"
    facts["training, GiB a device"] = f"{plan.training_bytes / GIB:.1f} of {plan.hardware.memory_gib:g}"
    facts["engine, GiB a device"] = f"{plan.engine_bytes / GIB:.1f}, room for {plan.engine_sequences} full sequences"
    for phase, seconds in plan.seconds.items():
        facts[f"{phase}, s a step, at least"] = f"{seconds:.1f}"
    facts["rollouts on disk, GiB a step"] = f"{plan.disk_bytes_a_step / GIB:.2g}"
    facts["rollouts on disk, GiB at most"] = f"{plan.disk_bytes / GIB:,.3g} ({_kept(config)})"
    facts["all steps, days, at least"] = f"{plan.days:.2g}" if plan.days < 1 else f"{plan.days:.1f}"
    return facts


def _kept(config: TrainConfig) -> str:
    rules = config.rollouts.retention.rules
    said = ", ".join(f"{name} {rule}" for name, rule in rules.items())
    return "rollouts.keep=all; every:K, last:K or sampled:P keep less" if said.count(" all") == len(rules) else said
