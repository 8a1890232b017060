"""The answers at the top of a report: did it learn, when, how, does reflection improve answers, is it healthy.

Plain sentences with their uncertainty; all numbers are computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.curves.learning import BenchmarkChange, Change, benchmark_changes, change_of
from analysis.curves.study import Study
from analysis.report.finding import Answer, Finding
from analysis.report.reflection_finding import reflection_finding
from analysis.report.wording import number, p_value, percent, points
from analysis.step_moment.breaks import Break, JointBreak
from orz_bench.errors import counted

_SHORTEST_FOR_BREAKS = 60
_ALPHA = 0.05


def findings_of(study: Study) -> list[Finding]:
    """The five findings about one run."""
    return [_learned(study), _when(study), _how(study), reflection_finding(study), _health(study)]


def _change(study: Study, metric: str) -> Change | None:
    series = study.series(metric)
    return change_of(*series) if series is not None else None


def _learned(study: Study) -> Finding:
    progress, reward = benchmark_changes(study.run.evaluations), _change(study, "reward/mean")
    details = [_progress_sentence(one) for one in progress]
    if reward is not None:
        details.append(_reward_sentence(reward))
    answer = _learned_answer(progress, reward)
    headlines = {
        "yes": "Yes, it learned.",
        "no": "No, it got worse.",
        "unclear": "Inconclusive: the change is within chance.",
        "unknown": "Unknown: this needs two evaluations of one benchmark, or rewards of at least four steps.",
    }
    return Finding(question="Did it learn?", answer=answer, headline=headlines[answer], details=tuple(details))


def _learned_answer(progress: Sequence[BenchmarkChange], reward: Change | None) -> Answer:
    """Evaluations on the same questions decide; the training reward is used only without them."""
    sure = [one for one in progress if one.p_holm < _ALPHA]
    if any(one.comparison.difference < 0 for one in sure):
        return "no" if all(one.comparison.difference < 0 for one in sure) else "unclear"
    if sure:
        return "yes"
    if progress or reward is None:
        return "unclear" if progress else "unknown"
    if not reward.is_clear:
        return "unclear"
    return "yes" if reward.difference > 0 else "no"


def _progress_sentence(one: BenchmarkChange) -> str:
    compared = one.comparison
    return (
        f"{one.benchmark}: avg@{one.n} went from {percent(compared.average_a)} (step {one.first_step}) to "
        f"{percent(compared.average_b)} (step {one.last_step}) on the same "
        f"{counted(compared.num_questions, 'question')}: "
        f"{points(compared.difference)} points, 95 % interval {points(compared.low)} to {points(compared.high)}, "
        f"{p_value(one.p_holm)}."
    )


def _reward_sentence(reward: Change) -> str:
    clear = "a clear change" if reward.is_clear else "a change within the scatter between steps"
    return (
        f"The mean training reward went from {number(reward.first)} (first {counted(reward.num_steps, 'step')}) to "
        f"{number(reward.last)} (last {reward.num_steps}): {clear}. It is measured on training problems."
    )


def _when(study: Study) -> Finding:
    reward = _change(study, "reward/mean")
    details = [_joint_sentence(event) for event in study.joint_breaks]
    details += [_break_sentence(one) for breaks in study.breaks.values() for one in breaks]
    if not details:
        details.append(_no_break_sentence(study))
    if reward is None or reward.half_step is None:
        text = "The reward shows no clear change, so there is no moment to report."
        return Finding(question="When?", answer="unknown", headline=text, details=tuple(details))
    direction = "rise" if reward.difference > 0 else "fall"
    most = f", nine tenths by step {reward.most_step:g}" if reward.most_step is not None else ""
    text = f"Half of the reward's {direction} was reached by step {reward.half_step:g}{most}."
    return Finding(question="When?", answer="yes", headline=text, details=tuple(details))


def _break_sentence(one: Break) -> str:
    rebound = " It only recovers an earlier fall." if one.rebound else ""
    return (
        f"Step moment: the {one.kind} of {one.metric} changed by {number(one.size)} at step {one.step:g} (95 % "
        f"interval {one.low:g} to {one.high:g}), {p_value(one.p_value)} against a smooth trend.{rebound}"
    )


def _joint_sentence(event: JointBreak) -> str:
    where = f"at step {event.low:g}" if event.low == event.high else f"between steps {event.low:g} and {event.high:g}"
    return (
        f"{', '.join(event.metrics[:-1])} and {event.metrics[-1]} change together {where}, "
        f"{p_value(event.p_value)} against coincidence."
    )


def _no_break_sentence(study: Study) -> str:
    if len(study.steps) < _SHORTEST_FOR_BREAKS:
        return (
            f"Step moments were not tested: {counted(len(study.steps), 'step', verb=('is', 'are'))} too few to "
            f"distinguish a jump from a steep "
            f"trend (at least {_SHORTEST_FOR_BREAKS} are needed)."
        )
    if not study.breaks:
        return "Step moments were not tested."
    return f"No step moment: {', '.join(study.breaks)} are consistent with smooth trends."


def _how(study: Study) -> Finding:
    wanted = {
        "response/length_mean": ("Mean response length", study.length_unit, 1.0),
        "reflection/rate": ("Responses that reflect", "%", 100.0),
        "format/adherence": ("Responses in the complete format", "%", 100.0),
        "response/clip_rate": ("Responses cut by the token limit", "%", 100.0),
        "policy/entropy": ("Policy entropy", "nats per token", 1.0),
    }
    changes = {metric: change for metric in wanted if (change := _change(study, metric)) is not None}
    details = [
        _how_sentence(what, unit, factor=factor, change=changes[metric])
        for metric, (what, unit, factor) in wanted.items()
        if metric in changes
    ]
    length = changes.get("response/length_mean")
    if length is None:
        text = "Unknown: there are no response lengths."
        return Finding(question="How?", answer="unknown", headline=text, details=tuple(details))
    text = f"Its responses {_direction(length, up='became longer', down='became shorter', same='kept their length')}"
    if (reflection := changes.get("reflection/rate")) is not None:
        text += f", and it {_direction(reflection, up='reflects more', down='reflects less', same='reflects as often')}"
    return Finding(question="How?", answer="yes", headline=f"{text}.", details=tuple(details))


def _direction(change: Change, *, up: str, down: str, same: str) -> str:
    if not change.is_clear:
        return same
    return up if change.difference > 0 else down


def _how_sentence(what: str, unit: str, *, factor: float, change: Change) -> str:
    clear = "" if change.is_clear else " (no clear change)"
    return f"{what}: {number(factor * change.first)} → {number(factor * change.last)} {unit}{clear}."


def _health(study: Study) -> Finding:
    run = study.run
    details = [f"Step {step}: {text}." for step, text in run.warnings]
    details += [f"{note[0].upper()}{note[1:]}." for note in run.notes]
    signal = [_change(study, name) for name in ("group/all_right", "group/all_wrong")]
    if all(change is not None for change in signal):
        last = sum(change.last for change in signal if change is not None)
        details.append(f"At the end, {percent(last)} of the problems gave no signal: all samples correct or all wrong.")
    if run.warnings:
        text = f"Training raised {counted(len(run.warnings), 'warning')}."
        return Finding(question="Is it healthy?", answer="no", headline=text, details=tuple(details))
    if run.kind != "train":
        text = "Unknown: only orz training runs are monitored."
        return Finding(question="Is it healthy?", answer="unknown", headline=text, details=tuple(details))
    text = "Training raised no warnings."
    return Finding(question="Is it healthy?", answer="yes", headline=text, details=tuple(details))
