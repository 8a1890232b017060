"""The graders of several evaluations: one per extractor, checked before anything is generated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager

from orz_bench.errors import DataError, counted
from orz_bench.evaluation.evaluate import Evaluation
from orz_bench.evaluation.options import GradingOptions
from orz_bench.evaluation.plans import tests_of
from orz_bench.grading.grader import Grader

_MOST_SHOWN = 20


@contextmanager
def checked_graders(
    evaluations: Sequence[Evaluation], options: GradingOptions, *, notice: Callable[[str], None]
) -> Iterator[Mapping[str, Grader]]:
    """Extractor -> the grader of its answers; a process for slow answers starts with the first of them.

    Raises ConfigError if programs cannot be isolated, DataError if a gold answer fails its self-check.
    """
    with ExitStack() as stack:
        graders = {
            extractor: stack.enter_context(closing(_grader(extractor, evaluations, options=options)))
            for extractor in dict.fromkeys(one.card.extractor for one in evaluations)
        }
        for extractor in dict.fromkeys(one.card.extractor for one in evaluations if one.loaded.tests):
            notice(f"programs are run with {graders[extractor].check_isolation()}")
        for one in evaluations:
            if (faults := _gold_faults(one, graders[one.card.extractor])) is None:
                continue
            if not options.keep_broken_golds:
                raise DataError(
                    f"{faults}\nNo answer could be graded right against them. Fix the data, or pass "
                    f"--keep-broken-golds."
                )
            notice(faults)
        yield graders


def _grader(extractor: str, evaluations: Sequence[Evaluation], *, options: GradingOptions) -> Grader:
    return Grader(
        extractor=extractor,
        num_workers=options.num_grading_workers,
        tests=tests_of(one.loaded for one in evaluations),
        allow_weak_isolation=options.allow_weak_isolation,
    )


def _gold_faults(evaluation: Evaluation, grader: Grader) -> str | None:
    """The gold answers that fail their self-check; None if there are none."""
    faults = grader.check_golds(evaluation.problems)
    if not faults:
        return None
    lines = [f"  {fault.problem_id}: gold {fault.gold!r}: {fault.why}" for fault in faults[:_MOST_SHOWN]]
    fails = "fails" if len(faults) == 1 else "fail"
    head = f"{evaluation.card.benchmark}: {counted(len(faults), 'gold answer')} {fails} the grader's self-check:"
    return "\n".join([head, *lines])
