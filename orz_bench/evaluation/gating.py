"""`orz-bench gate` on two runs: decisions from their samples, and more samples where the decision is open."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orz_bench.errors import ConfigError, OrzError
from orz_bench.records.run_dir import RunDir
from orz_bench.results.gate import Gated, Rule, decide, overall
from orz_bench.results.gate_policy import Policy
from orz_bench.results.lookup import paired_outcomes
from orz_bench.secrets import HIDDEN

_REPLACED = ("--bench", "--n", "--out")
"""Options of a run's command that a further evaluation gives anew."""


def gate_runs(
    policy: Policy, *, base: str, candidate: str, across_protocols: bool = False, notice: Callable[[str], None] | None
) -> list[Gated]:
    """Decide for every rule. With a `notice`, evaluate both runs further until the required ones are decided.

    ConfigError for a benchmark or samples that are missing, or for a run that cannot be evaluated further.
    """
    decided: dict[str, Gated] = {}
    asked: dict[int, list[str]] = {}
    while True:
        open_rules = [rule for rule in policy.rules if _is_open(decided.get(rule.benchmark))]
        found = paired_outcomes(
            base, candidate, benchmarks=[rule.benchmark for rule in open_rules], across_protocols=across_protocols
        )
        for rule in open_rules:
            gated = decide(*found[rule.benchmark], rule=rule, looks=policy.looks, error=policy.error)
            if gated is not None:
                decided[rule.benchmark] = gated
        wanted = _wanted(policy, decided)
        if not wanted or notice is None:
            return [_required(rule, decided, policy=policy) for rule in policy.rules]
        if wanted == asked:
            raise ConfigError(f"{base}, {candidate}: evaluating them further brought no samples; use a larger --n.")
        asked = wanted
        for run in (base, candidate):
            for samples, names in wanted.items():
                _evaluate_further(run, names, samples=samples, notice=notice)


def _is_open(gated: Gated | None) -> bool:
    return gated is None or gated.decision == "INCONCLUSIVE"


def _wanted(policy: Policy, decided: dict[str, Gated]) -> dict[int, list[str]]:
    """Samples -> the benchmarks that need so many for their next look; none if the decision stands."""
    wanted: dict[int, list[str]] = {}
    if overall(list(decided.values())) == "NO-GO":
        return wanted
    for rule in policy.rules:
        gated = decided.get(rule.benchmark)
        later = [look for look in policy.looks if look > (0 if gated is None else gated.samples)]
        is_needed = gated is None or (rule.tier == "required" and gated.decision == "INCONCLUSIVE")
        if is_needed and later:
            wanted.setdefault(later[0], []).append(rule.benchmark)
    return wanted


def _required(rule: Rule, decided: dict[str, Gated], *, policy: Policy) -> Gated:
    if rule.benchmark not in decided:
        raise ConfigError(
            f"{rule.benchmark}: fewer than {policy.looks[0]} samples a question, the first of looks; run orz-bench "
            f"eval of both with --n {policy.looks[0]}, or use --until-decided."
        )
    return decided[rule.benchmark]


def _evaluate_further(run: str, names: Sequence[str], *, samples: int, notice: Callable[[str], None]) -> None:
    """The run's own command with more samples; what it has is kept."""
    command = ["eval", *_own_arguments(run), "--bench", ",".join(names), "--n", str(samples), "--out", run]
    notice(f"orz-bench {shlex.join(command)}")
    done = subprocess.run([sys.executable, "-m", "orz_bench.cli", *command], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise OrzError(f"{run}: its evaluation ended with exit code {done.returncode}; the same command continues it.")


def _own_arguments(run: str) -> Iterator[str]:
    """The arguments of `orz-bench eval` that made a run, without those that are replaced."""
    given = RunDir(Path(run)).info().get("command")
    command = list(map(str, given)) if isinstance(given, list) else []
    if command[1:2] != ["eval"] or Path(command[0]).name != "orz-bench":
        raise ConfigError(
            f"{run} was not made by orz-bench eval, so it cannot be evaluated further (--until-decided); evaluate its "
            f"checkpoint with orz-bench eval."
        )
    if any(HIDDEN in each for each in command):
        raise ConfigError(f"{run}: its command has a secret, which is not kept; evaluate it yourself with more --n.")
    arguments = iter(command[2:])
    for argument in arguments:
        name, has_value, _ = argument.partition("=")
        if name not in _REPLACED:
            yield argument
        elif not has_value:
            next(arguments, None)
