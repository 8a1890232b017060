"""Compare an answer with a gold: their surfaces first, then mathematics with Math-Verify and stricter checks.

Runs in worker processes only: it may hang, run out of memory or crash, and nothing here prevents that.
"""

from __future__ import annotations

from math_verify import verify
from sympy import And
from sympy.core.relational import Relational

from orz_bench.grading.jobs import Job, Reply
from orz_bench.grading.math import sequences
from orz_bench.grading.math.fast_path import known_outcome
from orz_bench.grading.math.reading import Value, delimited, read_free_text, read_latex
from orz_bench.grading.math.same_set import same_set
from orz_bench.grading.math.strict import are_one_function, relations_differ, values_differ
from orz_bench.grading.surface.compare import Comparer, Outcome, alike, unlike
from orz_bench.grading.surface.read_surface import read_surface
from orz_bench.grading.surface.surface import Date, Named, Phrase, Ratio
from orz_bench.grading.surface.text_key import text_key, words_key

_UNREADABLE_GOLD = Reply("unparseable", "the gold is not readable as mathematics, so only the same text is accepted")


def judge(job: Job) -> Reply:
    """The verdict. Raises MemoryError and RecursionError, which the worker reports."""
    if job.mode == "gold":
        return _judge_gold(job.gold)
    if text_key(job.gold) == text_key(job.answer):
        return Reply("correct", "same text")
    return _judge_answer(job) if job.mode == "answer" else _judge_text(job)


def _judge_gold(gold: str) -> Reply:
    if isinstance(read_surface(gold), Phrase | Ratio | Date):
        return Reply("correct", "read as words, a ratio or a time")
    value = read_latex(gold)
    if value is None:
        return _UNREADABLE_GOLD
    if not _verified(value, value):
        return Reply("wrong", "the gold, read as mathematics, does not equal itself")
    return Reply("correct", "equal by Math-Verify")


def _judge_answer(job: Job) -> Reply:
    if not job.strict:
        return _judge_loosely(job)
    outcome = _STRICT.compare(read_surface(job.gold), read_surface(job.answer))
    if outcome.is_equal:
        return Reply("correct", outcome.why)
    return Reply("wrong" if outcome.is_readable else "unparseable", outcome.why)


def _judge_loosely(job: Job) -> Reply:
    """Math-Verify's own verdict on the two whole texts."""
    gold, answer = read_latex(job.gold), read_latex(job.answer)
    if gold is None:
        same_words = words_key(job.gold) == words_key(job.answer)
        return (
            Reply("correct", "same words") if same_words else Reply("wrong", f"different text: {_UNREADABLE_GOLD.why}")
        )
    if answer is None:
        return Reply("unparseable", "not readable as mathematics")
    is_equal = _verified(gold, answer)
    return Reply("correct" if is_equal else "wrong", f"{'' if is_equal else 'not '}equal by Math-Verify")


def _judge_text(job: Job) -> Reply:
    reply = _judge_answer(job)
    # From two bare equations Math-Verify would extract and compare the numbers after the equals signs.
    if reply.verdict == "correct" or (job.strict and job.mode == "free" and _are_equations(job)):
        return reply
    gold = delimited(job.gold) if job.mode == "response" else job.gold
    golds, answers = read_free_text(gold), read_free_text(job.answer)
    if not golds or not answers:
        return Reply("unparseable", f"nothing found in the {'answer' if golds else 'gold'}")
    if not verify(golds, answers, timeout_seconds=None):
        return Reply("wrong", "not equal by Math-Verify")
    vetoes = [_veto(one, other) for one in golds for other in answers if _verified(one, other)]
    why = None if None in vetoes or not job.strict else next(iter(vetoes), None)
    return Reply("wrong", f"strict: {why}") if why else Reply("correct", "equal by Math-Verify")


def _are_equations(job: Job) -> bool:
    surfaces = [read_surface(text) for text in (job.gold, job.answer)]
    are_relations = all(isinstance(read_latex(text), Relational | And) for text in (job.gold, job.answer))
    names = [one.name for one in surfaces if isinstance(one, Named)]
    return are_relations and (len(names) < len(surfaces) or len(set(names)) > 1)


def _veto(gold: Value | str, answer: Value | str) -> str | None:
    if isinstance(gold, str) or isinstance(answer, str):
        return None
    return values_differ(gold, answer) or relations_differ(gold, answer)


def _equal(gold: str, answer: str) -> Outcome:
    """Whether two pieces of LaTeX are equal: by the fast path, otherwise by Math-Verify with the strict checks."""
    if (known := known_outcome(gold, answer)) is not None:
        return known
    one, other = read_latex(gold), read_latex(answer)
    if one is None:
        return unlike(f"different text: {_UNREADABLE_GOLD.why}")
    if other is None:
        return unlike("not readable as mathematics", is_readable=False)
    # Before Math-Verify: far cheaper than simplifying a nonzero difference.
    why = values_differ(one, other) or (None if _verified(one, other) else "not equal by Math-Verify")
    if why and not are_one_function(one, other):
        return unlike(why)
    why = relations_differ(one, other) or _texts_differ(gold, answer)
    return unlike(f"strict: {why}") if why else alike("equal by Math-Verify")


def _texts_differ(gold: str, answer: str) -> str | None:
    """A difference in what Math-Verify drops from the text and a reader would not; None if there is none."""
    if sequences.bases_differ(gold, answer):
        return "numbers in different bases"
    if sequences.has_ellipsis(gold) or sequences.has_ellipsis(answer):
        return None if text_key(gold) == text_key(answer) else "different sequence"
    return None


def _verified(gold: Value | str, answer: Value | str) -> bool:
    try:
        return bool(verify(gold, answer, timeout_seconds=None, raise_on_error=True))
    except (MemoryError, RecursionError):
        raise
    except Exception:  # Math-Verify treats values that it cannot compare as unequal
        return False


_STRICT = Comparer(_equal, same_set)
