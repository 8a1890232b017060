"""What a critic's values say, as a finding of the report and as a table for the terminal."""

from __future__ import annotations

from rich.table import Table

from analysis.report.finding import Answer, Finding
from analysis.report.wording import number, p_value, percent
from analysis.values.reflections import WINDOW
from analysis.values.repetition import NGRAM
from analysis.values.resampling import Estimate, PairedEffect
from analysis.values.study import Discrimination, ReflectionEffect, ValueStudy
from orz_bench.errors import counted

_ALPHA = 0.05


def value_finding(study: ValueStudy) -> Finding:
    """Whether the critic tells right from wrong answers, with what it does at reflections and repetition."""
    final = study.by_position[-1]
    area = final.auroc
    answer: Answer = "unknown"
    headline = "Unknown: this needs right and wrong responses."
    if area is not None:
        is_sure = area.low is not None and area.high is not None and not area.low <= 0.5 <= area.high
        answer = ("yes" if area.value > 0.5 else "no") if is_sure else "unclear"
        headline = {
            "yes": f"Yes: a right answer has the higher final value in {percent(area.value)} of pairs.",
            "no": f"No: a right answer has the higher final value in only {percent(area.value)} of pairs.",
        }.get(answer, f"Inconclusive: AUROC {number(area.value)} of the final value may be chance.")
    details = tuple(f"{name}: {text}." for name, text in _facts(study).items())
    return Finding(question=f"Does the critic know ({study.name})?", answer=answer, headline=headline, details=details)


def value_table(study: ValueStudy) -> Table:
    """The study for people."""
    title = f"{study.name}: values of critic {study.critic}"
    table = Table(title=title, show_header=False, box=None, title_justify="left")
    for name, text in _facts(study).items():
        table.add_row(name, text)
    return table


def _facts(study: ValueStudy) -> dict[str, str]:
    questions = counted(study.num_questions, "question")
    first, middle, last = (study.by_position[at] for at in (0, 5, 10))
    found = {
        "responses": f"{study.num_responses:,} to {questions}, {percent(study.share_right)} right",
        "AUROC at start, middle, end": ", ".join(_area(one) for one in (first, middle, last)),
        "AUROC within a question, minus 0.5": _effect(study.within_question),
        "Brier score at start, middle, end": ", ".join(number(one.brier) for one in (first, middle, last)),
        "a constant guess's Brier score": number(study.share_right * (1 - study.share_right)),
        "calibration error (ECE) at start, middle, end": ", ".join(number(one.ece) for one in (first, middle, last)),
        "AUROC by length": ", ".join(f"{number(one.at)} tokens {_area(one)}" for one in study.by_length),
    }
    if len(study.by_step) > 1:
        ends = (study.by_step[0], study.by_step[-1])
        found["AUROC by step"] = ", ".join(f"step {one.at:g} {_area(one)}" for one in ends)
    for name, effect in study.reflections.items():
        which = "reflections" if name == "all" else f"reflections in {name} answers"
        found[which] = _reflection(effect, study.lexicon if name == "all" else "")
    found[f"tokens that repeat {NGRAM} tokens"] = f"{number(100 * study.repeated_share)} % of all tokens"
    found["their value minus others', same outcome and place"] = _effect(study.repetition_value)
    found["their advantage minus others', same place"] = _effect(study.repetition_advantage)
    return found | _falls(study)


def _falls(study: ValueStudy) -> dict[str, str]:
    if not study.falls:
        return {}
    kinds = (f"{count:,} {kind}" for kind, count in sorted(study.falls.items()))
    found = {f"wrong answers, value below {study.threshold:g} for good": ", ".join(kinds)}
    if study.fall_quartiles is not None:
        low, middle, high = map(percent, study.fall_quartiles)
        found["where it fell"] = f"at {middle} of the response (quartiles {low} and {high})"
    return found


def _reflection(effect: ReflectionEffect, lexicon: str) -> str:
    head = f"{effect.num_reflections:,}{f' ({lexicon})' if lexicon else ''}, {effect.num_matched:,} matched"
    if effect.mean_change is None or effect.mean_control is None:
        return head
    return (
        f"{head}: value {effect.mean_change:+.3f} over {WINDOW} tokens, {effect.mean_control:+.3f} at matched places; "
        f"difference {_effect(effect.effect)}"
    )


def _area(one: Discrimination) -> str:
    return "–" if one.auroc is None else _interval(one.auroc, sign="")


def _effect(effect: PairedEffect | None) -> str:
    if effect is None:
        return "–"
    return (
        f"{_interval(effect.difference, sign='+')}, {p_value(effect.p_value)}, "
        f"{counted(effect.num_questions, 'question')}"
    )


def _interval(estimate: Estimate, *, sign: str) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{sign}.3f}"
    return f"{estimate.value:{sign}.3f} ({estimate.low:{sign}.3f} to {estimate.high:{sign}.3f})"
