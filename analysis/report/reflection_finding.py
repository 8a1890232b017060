"""Is the reflection real? What reflecting and being right have to do with each other, and what became of answers."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.outcomes import Difference, OutcomeEffect, outcome_effect
from analysis.report.finding import Answer, Finding
from analysis.report.wording import percent, points
from analysis.study import Study

_LAST_SHARE = 0.2
_FEWEST_STEPS = 5


def reflection_finding(study: Study) -> Finding:
    """Does reflection go with right answers, and does it mend them? From the features of all training responses."""
    question = "Is the reflection real?"
    features = study.features
    if features is None or features.empty:
        return Finding(question=question, answer="unknown", headline="Unknown: there are no responses to read.")
    if not features["reflects"].any():
        text = f"There is none: no response matches the lexicon {study.lexicon}."
        return Finding(question=question, answer="no", headline=text)
    effect = outcome_effect(features)
    changes = features["answer_change"].value_counts()
    details = [
        *_effect_sentences(effect),
        *_answer_sentences(changes),
        *_first_step_sentences(features),
        *_last_steps_sentences(features),
    ]
    answer = _reflection_answer(effect.matched, changes)
    headlines = {
        "yes": "Yes, as far as can be seen: responses that reflect are right more often than others to the same "
        "question and of like length, and more answers are mended than spoilt.",
        "no": "It looks like ornament or harm: responses that reflect are right less often, or no more often and "
        "without mending answers.",
        "unclear": "The signs do not agree, or there are too few responses to compare.",
        "unknown": "Unknown: the responses have no verdicts.",
    }
    return Finding(question=question, answer=answer, headline=headlines[answer], details=tuple(details))


def _reflection_answer(matched: Difference | None, changes: pd.Series) -> Answer:
    mends = int(changes.get("helpful", 0)) - int(changes.get("harmful", 0))
    if matched is None or matched.low is None or matched.high is None:
        return "unclear"
    if matched.low > 0:
        return "yes" if mends > 0 else "unclear"
    return "no" if matched.high < 0 or mends <= 0 else "unclear"


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
    interval = ""
    if effect.matched.low is not None and effect.matched.high is not None:
        interval = f", 95 % interval {points(effect.matched.low)} to {points(effect.matched.high)}"
    yield (
        f"Compared only within the same step, question and length bin: {points(effect.matched.estimate)} points"
        f"{interval} ({effect.num_matched_responses:,} responses to {effect.num_matched_questions:,} questions could "
        f"be compared so). This is an association: it does not prove that reflecting causes being right."
    )


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
    rate = features.loc[features["step"] == first, "reflects"].mean()
    yield f"At step {first}, the first that was sampled, {percent(float(rate))} of the responses reflected already."


def _last_steps_sentences(features: pd.DataFrame) -> Iterator[str]:
    """The matched difference once more, over the last fifth of the steps: what was useful may have become a habit."""
    steps = sorted(features["step"].unique()) if "step" in features else []
    if len(steps) < _FEWEST_STEPS:
        return
    since = steps[-max(1, round(_LAST_SHARE * len(steps)))]
    matched = outcome_effect(features[features["step"] >= since]).matched
    if matched is None or matched.low is None or matched.high is None:
        yield f"From step {since} on too few responses of both kinds are alike enough to compare."
        return
    is_clear = matched.low > 0 or matched.high < 0
    told = "still there" if matched.low > 0 else "reversed" if is_clear else "not to be told from none"
    yield (
        f"From step {since} on the matched difference is {points(matched.estimate)} points, 95 % interval "
        f"{points(matched.low)} to {points(matched.high)}: {told}."
    )
