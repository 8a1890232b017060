"""Does reflection improve answers? Compared within the same question and length, and by how answers changed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import comb

import pandas as pd

from analysis.curves.study import Study
from analysis.report.finding import Answer, Finding
from analysis.report.wording import percent, points
from analysis.texts.outcomes import Difference, OutcomeEffect, outcome_effect
from orz_bench.errors import counted

_LAST_SHARE = 0.2
_FEWEST_STEPS = 5
MIN_SHARE = 0.05
"""Share of the graded responses that must be comparable; a smaller share says nothing about the whole run."""
MIN_QUESTIONS = 20
MARGIN = 0.05
"""A difference of shares counts as none if its interval is within this margin."""
_ALPHA = 0.05
QUESTION = "Does reflection go with correct answers?"


def reflection_finding(study: Study) -> Finding:
    """Are responses that reflect correct more often, and are answers corrected? From all training responses."""
    features = study.features
    if features is None or features.empty:
        return Finding(question=QUESTION, answer="unknown", headline="Unknown: there are no responses to read.")
    if not features["reflects"].any():
        text = f"There is no reflection: no response matches the lexicon {study.lexicon}."
        return Finding(question=QUESTION, answer="no", headline=text)
    effect = outcome_effect(features)
    changes = features["answer_change"].value_counts()
    details = [
        *_effect_sentences(effect),
        *_answer_sentences(changes),
        *_first_step_sentences(features),
        *_last_steps_sentences(features),
    ]
    answer, headline = _conclusion(effect, changes)
    return Finding(question=QUESTION, answer=answer, headline=headline, details=tuple(details))


def _conclusion(effect: OutcomeEffect, changes: pd.Series) -> tuple[Answer, str]:
    if not effect.num_responses:
        return "unknown", "Unknown: the responses have no verdicts."
    matched = effect.matched
    compared = _compared(effect)
    if matched is None or matched.low is None or matched.high is None or not _is_enough(effect):
        return "unclear", (
            f"Inconclusive: only {compared} can be compared with a response of the other kind to the same question "
            f"and of similar length; at least {percent(MIN_SHARE)} and {MIN_QUESTIONS} questions are needed."
        )
    size = f"{points(matched.estimate)} points ({points(matched.low)} to {points(matched.high)})"
    basis = f"Based on {compared}, compared within the same question and similar length"
    if matched.high < 0:
        return "no", f"No: responses that reflect are correct less often, {size}. {basis}."
    if matched.low > -MARGIN and matched.high < MARGIN:
        return "no", f"No: reflecting makes a difference of less than {points(MARGIN)} points, {size}. {basis}."
    if matched.low <= 0:
        return "unclear", f"Inconclusive: the difference is {size}. {basis}."
    helpful, harmful = (int(changes.get(name, 0)) for name in ("helpful", "harmful"))
    if helpful > harmful and _sign_test(helpful, harmful) < _ALPHA:
        return "yes", (
            f"Yes: responses that reflect are correct more often, {size}, and more answers are corrected than spoilt "
            f"({helpful:,} against {harmful:,}). {basis}."
        )
    return "unclear", (
        f"Partly: responses that reflect are correct more often, {size}, but it is not clear that more answers are "
        f"corrected than spoilt ({helpful:,} against {harmful:,}). {basis}."
    )


def _is_enough(effect: OutcomeEffect) -> bool:
    share = effect.num_matched_responses / effect.num_responses
    return share >= MIN_SHARE and effect.num_matched_questions >= MIN_QUESTIONS


def _compared(effect: OutcomeEffect) -> str:
    return (
        f"{effect.num_matched_responses:,} of {counted(effect.num_responses, 'response')} "
        f"({percent(effect.num_matched_responses / effect.num_responses)}, "
        f"{counted(effect.num_matched_questions, 'question')})"
    )


def _sign_test(some: int, others: int) -> float:
    """Two-sided probability of a split at least this uneven between two equally likely kinds."""
    total, fewer = some + others, min(some, others)
    return min(1.0, float(Fraction(2 * sum(comb(total, k) for k in range(fewer + 1)), 1 << total)))


def _effect_sentences(effect: OutcomeEffect) -> Iterator[str]:
    if effect.accuracy_reflecting is None or effect.accuracy_other is None:
        yield "All graded responses reflect, or none does: there is nothing to compare."
        return
    yield (
        f"Correct: {percent(effect.accuracy_reflecting)} of the "
        f"{counted(effect.num_reflecting, 'response', verb=('that reflects', 'that reflect'))}, "
        f"{percent(effect.accuracy_other)} of the others."
    )
    if effect.matched is None:
        yield "No question has responses of both kinds with similar length, so nothing can be matched."
        return
    yield (
        f"Compared within the same step, question and length bin: {points(effect.matched.estimate)} points"
        f"{_interval(effect.matched)} ({counted(effect.num_matched_responses, 'response')} to "
        f"{counted(effect.num_matched_questions, 'question')}). This is an association; it does "
        f"not prove that reflection causes correct answers."
    )


def _interval(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return ", too few questions for an interval"
    return f", 95 % interval {points(difference.low)} to {points(difference.high)}"


def _answer_sentences(changes: pd.Series) -> Iterator[str]:
    total = int(changes.sum())
    if not total:
        return
    counts = {name: int(changes.get(name, 0)) for name in ("helpful", "harmful", "superficial", "wrong_to_wrong")}
    yield (
        f"Of {counted(total, 'reflecting response')}, {counts['helpful']:,} changed a wrong answer to the correct one "
        f"(helpful), {counts['harmful']:,} a correct answer to a wrong one (harmful), {counts['superficial']:,} kept "
        f"their answer (superficial), {counts['wrong_to_wrong']:,} changed one wrong answer to another; the others "
        f"have no recognisable earlier answer."
    )


def _first_step_sentences(features: pd.DataFrame) -> Iterator[str]:
    if "step" not in features:
        return
    first = features["step"].min()
    reflects = features.loc[features["step"] == first, "reflects"]
    yield (
        f"At step {first}, the first sampled step, {int(reflects.sum()):,} of {counted(len(reflects), 'response')} "
        f"already reflected ({percent(float(reflects.mean()))})."
    )


def _last_steps_sentences(features: pd.DataFrame) -> Iterator[str]:
    """The matched difference over the last fifth of the steps: reflection may have become a habit without use."""
    steps = sorted(features["step"].unique()) if "step" in features else []
    if len(steps) < _FEWEST_STEPS:
        return
    since = steps[-max(1, round(_LAST_SHARE * len(steps)))]
    effect = outcome_effect(features[features["step"] >= since])
    matched = effect.matched
    if not effect.num_responses or matched is None:
        return
    if matched.low is None or matched.high is None or not _is_enough(effect):
        yield f"From step {since} on, too few responses can be compared: {_compared(effect)}."
        return
    text = "reflecting responses are correct more often" if matched.low > 0 else "there is no clear difference"
    if matched.high < 0:
        text = "reflecting responses are correct less often"
    yield (
        f"From step {since} on, {text}: {points(matched.estimate)} points{_interval(matched)}, "
        f"from {_compared(effect)}."
    )
