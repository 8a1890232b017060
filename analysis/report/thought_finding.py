"""Where responses first conclude the right answer, as a finding of the report."""

from __future__ import annotations

from analysis.report.finding import Finding
from analysis.report.wording import percent
from orz_bench.errors import counted
from orz_bench.records.thought_need import ThoughtNeed
from orz_bench.records.thoughts import Share, ThoughtUse


def thought_finding(name: str, use: ThoughtUse) -> Finding:
    """How much of a right response comes before its first right conclusion, and what wrong ones gave up."""
    question = f"Where does the right answer come ({name})?"
    details = [
        f"{counted(use.num_right, 'right response')} and {counted(use.num_wrong, 'wrong one')} to "
        f"{counted(use.num_questions, 'question')}."
    ]
    if use.reached is not None and use.underthinking is not None:
        details.append(
            f"Of wrong responses {_shown(use.reached)} concluded the right answer before they ended otherwise, and "
            f"{_shown(use.reached_by_chance)} the answer to another question, which is chance. Underthinking: "
            f"{_shown(use.underthinking)}, by chance {_shown(use.underthinking_by_chance)}."
        )
    if use.outcome_efficiency is None or use.mean_first is None or use.mean_length is None:
        headline = "Unknown: no response is right."
        return Finding(question=question, answer="unknown", headline=headline, details=tuple(details))
    return Finding(
        question=question,
        answer="yes",
        headline=(
            f"A right response first concludes its answer after {_shown(use.outcome_efficiency)} of its length "
            f"({use.mean_first:,.0f} of {use.mean_length:,.0f} {use.unit} on average)."
        ),
        details=tuple(details),
    )


def need_finding(name: str, need: ThoughtNeed) -> Finding:
    """Whether the model's answers need its thoughts, and which steps decide them."""
    question = f"Does it need the thought ({name})?"
    first, last = need.accuracy[0], need.accuracy[-1]
    is_apart = first.high is not None and last.low is not None and first.high < last.low
    where = "without its thought" if need.positions[0] == 0 else f"after {percent(need.positions[0])} of it"
    whole = "with the whole" if need.positions[-1] == 1 else f"after {percent(need.positions[-1])}"
    details = [f"{counted(need.num_responses, 'response')} to {counted(need.num_questions, 'question')}."]
    for scores in need.steps:
        measured = "an answer right behind it" if scores.measured == "now" else "the thought that goes on"
        details.append(
            f"True-thinking score of {'all steps' if scores.kind == 'all' else scores.kind} by {measured}: "
            f"{_score(scores.score)} over {counted(scores.num_steps, 'step')}, of which {_shown(scores.decorative)} "
            f"are decorative; support, the same with its signs: {scores.support:+.2f}."
        )
    it = "It" if is_apart else "Not shown: it"
    return Finding(
        question=question,
        answer="yes" if is_apart else "unclear",
        headline=f"{it} is right in {_shown(first)} {where} and in {_shown(last)} {whole}.",
        details=tuple(details),
    )


def _score(score: Share) -> str:
    if score.low is None or score.high is None:
        return f"{score.value:.2f}"
    return f"{score.value:.2f} ({score.low:.2f} to {score.high:.2f})"


def _shown(share: Share | None) -> str:
    if share is None:
        return "an unknown share"
    if share.low is None or share.high is None:
        return percent(share.value)
    return f"{percent(share.value)} ({percent(share.low)} to {percent(share.high)})"
