"""Whether a model knows a benchmark by heart, as a finding of the report, and its figures by share as a table."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.report.finding import Answer, Finding
from analysis.report.tables import Table
from analysis.report.wording import p_value, percent, points
from orz_bench.errors import counted
from orz_bench.records.contamination import OldAgainstFresh, StoredContamination
from orz_bench.records.thoughts import Share


def named(found: Sequence[StoredContamination]) -> dict[str, StoredContamination]:
    """By model and benchmark; those that differ in settings alone are numbered."""
    names: dict[str, StoredContamination] = {}
    for one in found:
        name = f"{one.known.benchmark}, asked {one.model}"
        number = sum(other == name or other.startswith(f"{name} (") for other in names) + 1
        names[f"{name} ({number})" if name in names else name] = one
    return names


def contamination_findings(found: Sequence[StoredContamination]) -> list[Finding]:
    """One for each benchmark that was asked about, those left out that others of a model were held against."""
    fresh = {(one.model, test.fresh) for one in found for test in one.tests}
    return [
        contamination_finding(name, one)
        for name, one in named(found).items()
        if one.tests or (one.model, one.known.benchmark) not in fresh
    ]


def contamination_finding(name: str, found: StoredContamination) -> Finding:
    """What the tests against fresh questions say; rates alone say nothing."""
    answer, headline = _answer(found.tests)
    known = found.known
    details = [f"{counted(known.num_questions, 'question')}{_without(known.num_without)}."]
    details += [_sentence(test) for test in found.tests]
    question = f"Is it known by heart ({name})?"
    return Finding(question=question, answer=answer, wanted="no", headline=headline, details=tuple(details))


def _answer(tests: Sequence[OldAgainstFresh]) -> tuple[Answer, str]:
    if not tests:
        return "unknown", "Unknown: rates alone show nothing; fresh questions of the same kind are given with --fresh."
    if any(test.is_known for test in tests):
        return "yes", "Yes, in part: its questions are completed better than fresh ones."
    return "unclear", "Not shown: its questions are not completed clearly better than fresh ones."


def _without(number: int) -> str:
    return f", of which {number:,} are too short or have no answer that can be given at once" if number else ""


def _sentence(test: OldAgainstFresh) -> str:
    return (
        f"Against {test.fresh} ({test.num_old:,} and {counted(test.num_fresh, 'question')}): ROUGE-L "
        f"{points(test.difference)} points (95 % interval {points(test.low)} to {points(test.high)}), "
        f"{p_value(test.p_value)}; completed exactly {percent(test.exact_old)} and {percent(test.exact_fresh)}, "
        f"{p_value(test.p_exact)}."
    )


def contamination_table(name: str, found: StoredContamination) -> Table:
    """One row for each share of the question that the model got."""
    completed = {one.share: one for one in found.known.completions}
    answered = {one.share: one for one in found.known.answers}
    rows = []
    for share in sorted(completed.keys() | answered.keys()):
        done, said = completed.get(share), answered.get(share)
        rows.append(
            (
                f"{100 * share:g} %",
                _shown(done.exact if done else None),
                _shown(done.rouge_l if done else None),
                _shown(said.right if said else None),
                _shown(said.by_chance if said else None),
            )
        )
    return Table(
        title=name,
        headings=("part of the question", "completed exactly", "ROUGE-L", "right answer", "by chance"),
        rows=tuple(rows),
        note="With 95 % intervals over questions.",
    )


def _shown(share: Share | None) -> str:
    if share is None:
        return "–"
    if share.low is None or share.high is None:
        return percent(share.value)
    return f"{percent(share.value)} ({percent(share.low)} to {percent(share.high)})"
