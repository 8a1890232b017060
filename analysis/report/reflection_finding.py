"""Does reflection go with right answers? Within the same question and length, and in what became of answers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import comb

import pandas as pd

from analysis.curves.study import Study
from analysis.report.finding import Answer, Finding
from analysis.report.wording import percent, points
from analysis.texts.outcomes import Difference, OutcomeEffect, outcome_effect

_LAST_SHARE = 0.2
_FEWEST_STEPS = 5
MIN_SHARE = 0.05
"""Of the graded responses, that can be compared; less is a corner of the run, and nothing is said about the whole."""
MIN_QUESTIONS = 20
MARGIN = 0.05
"""Differences of shares that are called none where the interval lies within."""
_ALPHA = 0.05
QUESTION = "Does reflection go with right answers?"


def reflection_finding(study: Study) -> Finding:
    """Are responses that reflect right more often, and does it mend them? From features of all training responses."""
    features = study.features
    if features is None or features.empty:
        return Finding(question=QUESTION, answer="unknown", headline="Unknown: there are no responses to read.")
    if not features["reflects"].any():
        text = f"There is none: no response matches the lexicon {study.lexicon}."
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
            f"It cannot be told: only {compared} can be compared with a response of the other kind to the same "
            f"question, of like length; that needs {percent(MIN_SHARE)} and {MIN_QUESTIONS} questions."
        )
    size = f"{points(matched.estimate)} points ({points(matched.low)} to {points(matched.high)})"
    basis = f"Compared were {compared}, to the same question and of like length"
    if matched.high < 0:
        return "no", f"No: responses that reflect are right less often, {size}. {basis}."
    if matched.low > -MARGIN and matched.high < MARGIN:
        return "no", f"No: whether a response reflects makes no difference of {points(MARGIN)} points, {size}. {basis}."
    if matched.low <= 0:
        return "unclear", f"It cannot be told: the difference is {size}. {basis}."
    helpful, harmful = (int(changes.get(name, 0)) for name in ("helpful", "harmful"))
    if helpful > harmful and _sign_test(helpful, harmful) < _ALPHA:
        return "yes", (
            f"Yes: responses that reflect are right more often, {size}, and more answers are mended than spoilt "
            f"({helpful:,} against {harmful:,}). {basis}."
        )
    return "unclear", (
        f"In part: responses that reflect are right more often, {size}, but that more answers are mended than spoilt "
        f"cannot be told ({helpful:,} against {harmful:,}). {basis}."
    )


def _is_enough(effect: OutcomeEffect) -> bool:
    share = effect.num_matched_responses / effect.num_responses
    return share >= MIN_SHARE and effect.num_matched_questions >= MIN_QUESTIONS


def _compared(effect: OutcomeEffect) -> str:
    return (
        f"{effect.num_matched_responses:,} of {effect.num_responses:,} responses "
        f"({percent(effect.num_matched_responses / effect.num_responses)}, {effect.num_matched_questions:,} questions)"
    )


def _sign_test(some: int, others: int) -> float:
    """Two-sided probability of a split as uneven as this between two equally likely kinds."""
    total, fewer = some + others, min(some, others)
    return min(1.0, float(Fraction(2 * sum(comb(total, k) for k in range(fewer + 1)), 1 << total)))


def _effect_sentences(effect: OutcomeEffect) -> Iterator[str]:
    if effect.accuracy_reflecting is None or effect.accuracy_other is None:
        yield "All graded responses reflect, or none does: there is nothing to compare."
        return
    yield (
        f"Right: {percent(effect.accuracy_reflecting)} of the {effect.num_reflecting:,} responses that reflect, "
        f"{percent(effect.accuracy_other)} of the others."
    )
    if effect.matched is None:
        yield "No question has responses of both kinds and like length, so nothing can be matched."
        return
    yield (
        f"Compared only within the same step, question and length bin: {points(effect.matched.estimate)} points"
        f"{_interval(effect.matched)} ({effect.num_matched_responses:,} responses to {effect.num_matched_questions:,} "
        f"questions could be compared so). This is an association: it does not prove that reflecting causes being "
        f"right."
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
        f"Of {total:,} reflecting responses, {counts['helpful']:,} went from a wrong answer to the right one "
        f"(helpful), {counts['harmful']:,} from right to wrong (harmful), {counts['superficial']:,} kept their answer "
        f"(superficial), {counts['wrong_to_wrong']:,} went from one wrong answer to another; in the rest no earlier "
        f"answer could be read."
    )


def _first_step_sentences(features: pd.DataFrame) -> Iterator[str]:
    if "step" not in features:
        return
    first = features["step"].min()
    reflects = features.loc[features["step"] == first, "reflects"]
    yield (
        f"At step {first}, the first that was sampled, {int(reflects.sum()):,} of {len(reflects):,} responses "
        f"reflected already ({percent(float(reflects.mean()))})."
    )


def _last_steps_sentences(features: pd.DataFrame) -> Iterator[str]:
    """The matched difference once more, over the last fifth of the steps: what was useful may have become a habit."""
    steps = sorted(features["step"].unique()) if "step" in features else []
    if len(steps) < _FEWEST_STEPS:
        return
    since = steps[-max(1, round(_LAST_SHARE * len(steps)))]
    effect = outcome_effect(features[features["step"] >= since])
    matched = effect.matched
    if not effect.num_responses or matched is None:
        return
    if matched.low is None or matched.high is None or not _is_enough(effect):
        yield f"From step {since} on too few responses can be compared to tell: {_compared(effect)}."
        return
    told = "reflecting responses are right more often" if matched.low > 0 else "the difference cannot be told from none"
    if matched.high < 0:
        told = "reflecting responses are right less often"
    yield (
        f"From step {since} on {told}: {points(matched.estimate)} points{_interval(matched)}, from {_compared(effect)}."
    )
