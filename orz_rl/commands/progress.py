"""The terminal output of a training run: a line per step, warnings, and a closing summary with the next commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from orz_bench.records.rollout import Rollout
from orz_bench.terminal import BarDisplay
from orz_rl.training.evaluation import sampling_error
from orz_rl.training.progress import Outcome

_PHASES = ("sample", "score", "update", "sync")
_SHOWN = (
    ("reward", "reward/mean", ".3f"),
    ("length", "response/length_mean", ".0f"),
    ("reflects", "reflection/rate", ".2f"),
    ("clipped", "response/clip_rate", ".2f"),
)
"""Of a step's line. A trainer that says less has a shorter one."""
_LEARNED = ("loss", "policy/loss", ".3f")
"""Instead of the reward, where given answers are learned."""
_FIRST_AND_LAST = (
    ("reward/mean", "reward"),
    ("kl/reference", "KL to the reference"),
    ("response/length_mean", "response length"),
    ("reflection/rate", "reflection rate"),
    ("response/clip_rate", "clip rate"),
)


class TrainingDisplay(BarDisplay):
    """Lines on a console; on a terminal also a progress bar of the step's rollouts."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, is_transient=True)
        self._task = self._bar.add_task("sampling", total=None, visible=False)

    def warn(self, text: str) -> None:
        """Print a highlighted line."""
        self._console.print(f"warning: {text}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    def sampled(self, rollouts: Sequence[Rollout]) -> None:
        """Advance the bar."""
        with self._lock:
            self._bar.update(self._task, advance=len(rollouts), visible=True)

    def stepped(self, row: Mapping[str, float], num_steps: int) -> None:
        """Print the line of a step."""
        shown = _SHOWN if "reward/mean" in row else (_LEARNED, *_SHOWN)
        values = "".join(f"  {label} {row[name]:{form}}" for label, name, form in shown if name in row)
        values += "  critic alone" if "critic/warmup" in row and "policy/loss" not in row else ""
        phases = "".join(f"  {phase} {row[f'time/{phase}']:.1f}" for phase in _PHASES if f"time/{phase}" in row)
        self._console.print(
            f"step {row['step']:>{len(str(num_steps))}}/{num_steps}{values}{phases and f'  s:{phases[1:]}'}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        self._bar.reset(self._task, visible=False)


def closing_summary(outcome: Outcome) -> str:
    """First and last step side by side, evaluations, and the next commands."""
    lines = []
    if outcome.rows:
        first, last = outcome.rows[0], outcome.rows[-1]
        lines.append(f"{'':24}step {first['step']:<8} step {last['step']}")
        learned = () if "reward/mean" in first else (("policy/loss", "loss"),)
        for name, label in (*learned, *_FIRST_AND_LAST):
            if name in first and name in last:
                lines.append(f"{label:24}{first[name]:<13.3f} {last[name]:.3f}")
    for result in sorted(outcome.results, key=lambda result: (result.benchmark, result.step)):
        summary = result.summary
        lines.append(
            f"{result.benchmark} step {result.step}: avg@{summary.n} {100 * summary.avg_at_n:.1f}"
            f"{sampling_error(summary)} (95 % of sampling), {summary.mean_tokens:.0f} tokens"
        )
    run = outcome.run.path
    lines += [
        f"results in {run}: metrics.jsonl, rollouts/, evals/, checkpoints/",
        f"  tensorboard --logdir {run}/tensorboard",
        f"  orz-bench report {run}",
        f"  orz-rl export {run} --step {outcome.rows[-1]['step'] if outcome.rows else 0} --out DIR",
    ]
    return "\n".join(lines)
