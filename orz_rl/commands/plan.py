"""orz-rl plan."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.table import Table
from rich.text import Text

from orz_bench.commands.options import takes_options
from orz_bench.terminal import Json, print_result, reports_errors, result_console, stderr_console
from orz_rl.commands.train import Overrides, Recipe, Variant

if TYPE_CHECKING:
    from orz_rl.config import TrainConfig
    from orz_rl.planning.overlap import Prospect
    from orz_rl.planning.plan import Plan
    from orz_rl.planning.scaling import Scaled


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What a run is planned for."""

    backend: Annotated[str, typer.Option(help="Trainer; see `orz-rl backends`.")] = "native"
    mean_tokens: Annotated[float, typer.Option(min=1, help="Assumed mean response length.")] = 2000.0
    gpus: Annotated[
        int | None,
        typer.Option(min=1, help="Scale ranks and engines to this many GPUs [default: the recipe's own number]."),
    ] = None
    gpu_hour_price: Annotated[
        float | None, typer.Option(min=0, help="Price of a GPU for an hour, for the cost of the whole run.")
    ] = None
    overlap: Annotated[
        bool,
        typer.Option("--overlap", help="Simulate overlap of sampling and training, on the best split of the GPUs."),
    ] = False
    lengths: Annotated[
        Path | None,
        typer.Option(help="A run whose response lengths --overlap uses [default: log-normal with --mean-tokens]."),
    ] = None
    real_engines: Annotated[
        bool,
        typer.Option("--real-engines", help="Run the recipe's engines here; scoring and updating are a wait."),
    ] = False
    steps: Annotated[int, typer.Option(min=1, help="Steps to run with real engines.")] = 6
    update_seconds: Annotated[
        float | None,
        typer.Option(
            min=0, help="Scoring and updating of a step with real engines [default: by arithmetic, for GPUs]."
        ),
    ] = None
    gpu_memory_gib: Annotated[float, typer.Option(min=1, help="Memory of each GPU.")] = 80.0
    peak_tflops: Annotated[float, typer.Option(min=0.01, help="Dense bf16 peak of each GPU.")] = 989.0
    bandwidth_gib_s: Annotated[float, typer.Option(min=1, help="Memory bandwidth of each GPU.")] = 3120.0


class _Total(NamedTuple):
    key: str
    label: str
    number: float
    text: str


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
    """Estimate batches, memory and time per phase of a run. Starts nothing, but the engines with --real-engines.

    Exit code 2 if it does not fit. With another backend than native: what it would run, and the settings that it
    cannot express.
    """
    from orz_bench.errors import ConfigError
    from orz_rl.planning.plan import Hardware, make_plan
    from orz_rl.recipes.registry import resolve

    if options.gpus is None:
        config, size = resolve(recipe, variants=variant or (), overrides=overrides or ()), None
    else:
        config, size = _scaled(recipe, variant or (), overrides=overrides or (), gpus=options.gpus)
    if options.backend != "native":
        given = {
            "--overlap": options.overlap,
            "--lengths": options.lengths,
            "--gpu-hour-price": options.gpu_hour_price,
            "--real-engines": options.real_engines,
        }
        for name in (name for name, value in given.items() if value):
            raise ConfigError(f"{name} is for the native trainer, whose times are known; leave it out, or --backend.")
        _show_plan_of(options.backend, config, size=size, json_output=json_output)
        return
    mean_tokens = min(options.mean_tokens, config.rollout.max_tokens)
    each = Hardware(options.gpu_memory_gib, options.peak_tflops, options.bandwidth_gib_s)
    plan = make_plan(config, each, mean_tokens=mean_tokens)
    facts = _of_gpus(size) | _facts(plan, mean_tokens=mean_tokens)
    total = _total(plan, gpus=options.gpus or plan.num_devices, price=options.gpu_hour_price)
    facts |= {f"all steps, {each.label}": each.text for each in total}
    facts["fits"] = "yes" if plan.fits else "no"
    warnings = list(plan.delays())
    simulated = _simulated(plan, options) if options.overlap or options.lengths else []
    rehearsed = _rehearsed(plan, options) if options.real_engines else None
    if json_output:
        numbers = {each.key: each.number for each in total}
        structured: dict[str, Any] = {"total": numbers, "gpus": _gpus_json(size), "warnings": warnings}
        if simulated:
            structured["overlap"] = [_prospect_json(each, plan) for each in simulated]
        if rehearsed:
            structured["real_engines"] = rehearsed
        print_result(json.dumps(facts | structured, ensure_ascii=False))
    else:
        _show(facts)
        _show_prospects(simulated, plan)
        _show_rehearsed(rehearsed)
    _warn(warnings)
    if not plan.fits:
        raise ConfigError("it does not fit; possible remedies:\n" + "\n".join(f"  {line}" for line in plan.advice()))


def _scaled(
    recipe: str, variants: Sequence[str], *, overrides: Sequence[str], gpus: int
) -> tuple[TrainConfig, Scaled | None]:
    """The recipe with counts for these GPUs; counts that were given stay. Checked as a whole."""
    from orz_rl.planning.scaling import CRITIC, ENGINES, POLICY, scaled
    from orz_rl.recipes.registry import resolve

    given = [override for override in overrides if override.partition("=")[0] in (POLICY, CRITIC, ENGINES)]
    others = [override for override in overrides if override not in given]
    fixed = {
        name: int(text)
        for name, _, text in (each.partition("=") for each in given)
        if text.isascii() and text.isdigit()
    }
    if len(fixed) < len(given) or 0 in fixed.values():
        return resolve(recipe, variants=variants, overrides=overrides), None  # raises, with what is wrong with them
    size = scaled(resolve(recipe, variants=variants, overrides=others), gpus, fixed=fixed)
    return resolve(recipe, variants=variants, overrides=[*others, *size.settings]), size


def _of_gpus(size: Scaled | None) -> dict[str, Any]:
    if size is None:
        return {}
    idle = f", {size.idle} idle: {size.why_idle}" if size.idle else ""
    facts = {"GPUs": f"{size.used} of {size.gpus} used{idle}"}
    if size.partly_idle:
        facts["  idle in some phases"] = "; ".join(size.partly_idle)
    return facts | {"settings for them": " ".join(size.settings)}


def _gpus_json(size: Scaled | None) -> dict[str, Any] | None:
    if size is None:
        return None
    return {
        "available": size.gpus,
        "used": size.used,
        "idle": size.idle,
        "why_idle": size.why_idle,
        "partly_idle": list(size.partly_idle),
        "settings": dict(size.counts),
    }


def _total(plan: Plan, *, gpus: int, price: float | None) -> list[_Total]:
    """Of the whole run, with the GPUs that are held and idle."""
    days, hours = plan.days, plan.gpu_hours(gpus)
    total = [
        _Total("days", "days, at least", days, f"{days:.2g}" if days < 1 else f"{days:.1f}"),
        _Total("gpu_hours", "GPU-hours, at least", hours, f"{hours:,.3g}" if hours < 100 else f"{hours:,.0f}"),
        _Total("response_tokens", "response tokens", plan.response_tokens, f"{plan.response_tokens:,.0f}"),
        _Total("tokens", "tokens with prompts", plan.tokens, f"{plan.tokens:,.0f}"),
    ]
    if price is not None:
        cost = hours * price
        total.append(_Total("cost", "cost, at least", cost, f"{cost:,.2f} ({price:g} a GPU-hour)"))
    return total


def _simulated(plan: Plan, options: PlanOptions) -> list[Prospect]:
    from orz_rl.planning.overlap import assumed_lengths, lengths_of, prospects

    config = plan.config
    lengths = lengths_of(options.lengths) if options.lengths else assumed_lengths(config, plan.mean_tokens)
    return list(prospects(config, plan.hardware, lengths=lengths))


def _rehearsed(plan: Plan, options: PlanOptions) -> dict[str, Any]:
    """What the engines did here. ConfigError if the wait is not known, or nothing may be started."""
    from orz_bench.errors import ConfigError
    from orz_bench.installed.extras import require
    from orz_rl.rehearsal.engines import rehearse, summary

    if not plan.fits:
        raise ConfigError("it does not fit, so --real-engines starts nothing; plan it without to see what to change.")
    update_s = options.update_seconds
    if update_s is None:
        if plan.config.cluster.device == "cpu":
            raise ConfigError(
                "--real-engines waits where a run scores and updates, and for a CPU nothing says how long; give "
                "--update-seconds, time/score and time/update of a run together."
            )
        update_s = plan.seconds["score"] + plan.seconds["update"]
    require("train", what="--real-engines", but=("tensorboardX",))
    console, steps = stderr_console(), []
    for step in rehearse(
        plan.config,
        steps=options.steps,
        update_s=update_s,
        notice=lambda text: console.print(text, style="dim", markup=False, highlight=False),
    ):
        steps.append(step)
        console.print(f"  step {step.step}: {step.step_s:.1f} s", markup=False, highlight=False)
    return summary(steps, update_s=update_s)


def _show_rehearsed(found: Mapping[str, Any] | None) -> None:
    if found is None:
        return
    names = ("step", "s", "waited for samples", "sampling", "new weights", "tokens", "carried", "updates old")
    table = Table(*names, box=None, pad_edge=False)
    for each in found["steps"]:
        seconds = (f"{each[name]:.2f}" for name in ("step_s", "waited_s", "sampled_s", "sync_s"))
        age = f"{each['staleness_mean']:.2f}, at most {each['staleness_max']}"
        table.add_row(str(each["step"]), *seconds, f"{each['response_tokens']:,}", str(each["carried"]), age)
    result_console().print("", table)
    _show(
        {
            "mean of later steps, s": f"{found['step_s']:.2f}, of which {found['waited_s']:.2f} waiting for samples",
            "response tokens a second": f"{found['response_tokens_s']:,.0f}",
        }
    )


def _prospect_json(each: Prospect, plan: Plan) -> dict[str, Any]:
    outcome = each.outcome
    return {
        "mode": each.name,
        "staleness": each.mode.staleness,
        "partial": each.mode.partial,
        "colocated": each.is_colocated,
        "engines": each.engines,
        "gpus_of_engines": each.gpus_of_engines,
        "gpus_of_models": each.gpus_of_models,
        "step_s": outcome.step_s,
        "engines_idle": outcome.engines_idle,
        "trainer_idle": outcome.trainer_idle,
        "days": outcome.step_s * plan.config.num_steps / 86_400,
    }


def _show_prospects(simulated: Sequence[Prospect], plan: Plan) -> None:
    if not simulated:
        return
    first = simulated[0].outcome.step_s
    names = ("simulated", "GPUs of engines + models", "s a step", "times", "engines idle", "trainer idle", "days")
    table = Table(*names, box=None, pad_edge=False)
    for each in simulated:
        outcome = each.outcome
        gpus = (
            f"{each.gpus_of_models} shared" if each.is_colocated else f"{each.gpus_of_engines} + {each.gpus_of_models}"
        )
        days = outcome.step_s * plan.config.num_steps / 86_400
        idle = (f"{outcome.engines_idle:.0%}", f"{outcome.trainer_idle:.0%}")
        table.add_row(each.name, gpus, f"{outcome.step_s:.1f}", f"{first / outcome.step_s:.2f}", *idle, f"{days:.2g}")
    result_console().print("", table)


def _show(facts: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in facts.items():
        table.add_row(name, Text(str(value)))
    result_console().print(table)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        stderr_console().print(f"warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def _show_plan_of(name: str, config: TrainConfig, *, size: Scaled | None, json_output: bool) -> None:
    """What another backend would run. ConfigError, after it is shown, for settings that it cannot express."""
    from orz_rl.backends.backend import errors_of
    from orz_rl.backends.registry import BACKENDS
    from orz_rl.backends.start import cannot_express

    backend = BACKENDS.load(name)
    findings, here = backend.check(config), backend.available()
    facts = {"backend": f"{name} {here.version or ''}".strip(), "missing here": here.missing or "nothing"}
    facts |= _of_gpus(size) | dict(backend.plan(config))
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
        "  problems x samples": "stored answers"
        if config.is_supervised
        else f"{rollout.num_problems} x {rollout.num_samples}",
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
    most = plan.disk_bytes / GIB
    shown = f"{most:,.0f}" if most >= 1000 else f"{most:.3g}"
    facts["rollouts on disk, GiB at most"] = f"{shown} ({_kept(config)})"
    return facts


def _kept(config: TrainConfig) -> str:
    rules = config.rollouts.retention.rules
    said = ", ".join(f"{name} {rule}" for name, rule in rules.items())
    return "rollouts.keep=all; every:K, last:K or sampled:P keep less" if said.count(" all") == len(rules) else said
