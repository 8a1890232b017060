"""Is this answer equal to this gold? Math-Verify decides; strict mode may only take an acceptance back.

Runs in worker processes only: it may hang, run out of memory or crash, and nothing here limits that.
"""

from __future__ import annotations

from math_verify import verify
from sympy import And
from sympy.core.relational import Relational

from orz_bench.grading import sequences
from orz_bench.grading.jobs import Job, Reply
from orz_bench.grading.reading import Value, is_prose, read_free_text, read_latex
from orz_bench.grading.strict import relations_differ, values_differ
from orz_bench.grading.text_key import text_key, words_key

_UNREADABLE_GOLD = Reply("unparseable", "the gold cannot be read as mathematics: only its own text is accepted")


def judge(job: Job) -> Reply:
    """The verdict. Raises MemoryError and RecursionError, which are the worker's to report."""
    if job.mode == "gold":
        return _judge_gold(job.gold)
    if text_key(job.gold) == text_key(job.answer):
        return Reply("correct", "same text")
    if job.mode == "free":
        return _judge_free(job)
    return _judge_answer(job)


def _judge_gold(gold: str) -> Reply:
    value = read_latex(gold)
    if value is None:
        return _UNREADABLE_GOLD
    if not _equal(value, value):
        return Reply("wrong", "the gold, read as mathematics, does not equal itself")
    return Reply("correct", "equal by Math-Verify")


def _judge_answer(job: Job) -> Reply:
    gold = read_latex(job.gold)
    if gold is None:
        same_words = words_key(job.gold) == words_key(job.answer)
        return Reply("correct", "same words") if same_words else Reply("wrong", f"another text: {_UNREADABLE_GOLD.why}")
    answer = read_latex(job.answer)
    reply = (
        _compare(gold, answer, job=job) if answer is not None else Reply("unparseable", "not readable as mathematics")
    )
    if reply.verdict == "correct" or not is_prose(job.answer):
        return reply
    found = read_free_text(job.answer)
    replies = [_compare(gold, value, job=job) for value in found if not isinstance(value, str)]
    return next((r for r in replies if r.verdict == "correct"), replies[0] if replies else reply)


def _judge_free(job: Job) -> Reply:
    reply = _judge_answer(job)
    values = [read_latex(text) for text in (job.gold, job.answer)]
    # From two bare equations Math-Verify would extract, and compare, the number behind each equals sign.
    are_relations = all(isinstance(value, Relational | And) for value in values)
    if reply.verdict == "correct" or (job.strict and are_relations):
        return reply
    golds, answers = read_free_text(job.gold), read_free_text(job.answer)
    if not golds or not answers:
        return Reply("unparseable", f"nothing found in the {'answer' if golds else 'gold'}")
    if not verify(golds, answers, timeout_seconds=None):
        return Reply("wrong", "not equal by Math-Verify")
    vetoes = [_veto(one, other) for one in golds for other in answers if _equal(one, other)]
    why = None if None in vetoes or not job.strict else next(iter(vetoes), None)
    return Reply("wrong", f"strict: {why}") if why else Reply("correct", "equal by Math-Verify")


def _compare(gold: Value, answer: Value, *, job: Job) -> Reply:
    # Before Math-Verify, because it is far cheaper than simplifying a difference that is not zero.
    if job.strict and (why := values_differ(gold, answer)):
        return Reply("wrong", why)
    if not _equal(gold, answer):
        return Reply("wrong", "not equal by Math-Verify")
    if job.strict and (why := relations_differ(gold, answer) or _texts_differ(job)):
        return Reply("wrong", f"strict: {why}")
    return Reply("correct", "equal by Math-Verify")


def _veto(gold: Value | str, answer: Value | str) -> str | None:
    if isinstance(gold, str) or isinstance(answer, str):
        return None
    return values_differ(gold, answer) or relations_differ(gold, answer)


def _texts_differ(job: Job) -> str | None:
    """What Math-Verify drops from the text and a reader does not."""
    if sequences.bases_differ(job.gold, job.answer):
        return "numbers in different bases"
    if not (sequences.has_ellipsis(job.gold) or sequences.has_ellipsis(job.answer)):
        return None
    golds, answers = sequences.terms(job.gold), sequences.terms(job.answer)
    same = len(golds) == len(answers) and all(map(_same_term, golds, answers))
    return None if same else "another sequence"


def _same_term(gold: str, answer: str) -> bool:
    if sequences.has_ellipsis(gold) or sequences.has_ellipsis(answer):
        return text_key(gold) == text_key(answer)
    return judge(Job(gold, answer, strict=True)).verdict == "correct"


def _equal(gold: Value | str, answer: Value | str) -> bool:
    try:
        return bool(verify(gold, answer, timeout_seconds=None, raise_on_error=True))
    except (MemoryError, RecursionError):
        raise
    except Exception:  # Math-Verify counts values that it cannot compare as unequal
        return False
