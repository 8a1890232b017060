"""Which tokens a training run learned from, as a finding of the report."""

from __future__ import annotations

from analysis.report.finding import Finding
from analysis.report.wording import number, percent
from analysis.tokens.layer import OverSteps, TokenLayer
from orz_bench.errors import counted


def tokens_finding(found: TokenLayer) -> Finding:
    """Whether few tokens of high entropy carry the update, and what length and words have to do with it."""
    shortest, longest = found.lengths[0], found.lengths[-1]
    details = [
        f"{counted(found.num_tokens, 'token')} of {counted(len(found.steps), 'step')}; loss.normalisation is "
        f"{found.normalisation}.",
        f"The longest tenth of the responses has {_shown(longest.tokens)} of the tokens and {_shown(longest.update)} "
        f"of the update; the shortest {_shown(shortest.tokens)} and {_shown(shortest.update)}.",
    ]
    if longest.lowering is not None and shortest.lowering is not None:
        details.append(
            f"A token of a response with a negative advantage is pushed {number(longest.lowering)} times as hard as "
            f"the mean in the longest tenth, {number(shortest.lowering)} times in the shortest."
        )
    if found.words:
        named = ", ".join(f"{word.word} {percent(word.update)}" for word in found.words[:5])
        details.append(f"Words with the most of the update: {named}.")
    return Finding(
        question="Which tokens does it learn from?",
        answer="yes",
        headline=(
            f"The fifth of the tokens with the highest entropy gets {_shown(found.top_fifth)} of the update and "
            f"{percent(sum(one.advantage.value for one in found.entropies[-2:]))} of the advantage."
        ),
        details=tuple(details),
    )


def _shown(share: OverSteps) -> str:
    if share.low is None or share.high is None:
        return percent(share.value)
    return f"{percent(share.value)} ({percent(share.low)} to {percent(share.high)})"
