"""The grader as its callers see it; one pool of processes for the whole file."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from typing import get_args

import pytest

from orz_bench.errors import ConfigError, GradingError
from orz_bench.grading.grader import Grader, Submission
from orz_bench.grading.judges.registry import JUDGES
from orz_bench.records.rollout import AnswerKind
from tests.support.builders import a_problem


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(num_workers=2) as grader:
        yield grader


def boxed(gold: str, answer: str) -> Submission:
    return Submission(gold=gold, kind="math", num_choices=0, response=f"so \\boxed{{{answer}}}")


def verdict(grader: Grader, gold: str, answer: str) -> str:
    return grader.grade([boxed(gold, answer)])[0].verdict


def test_numbers_are_checked_and_graded_without_a_process() -> None:
    """Loading Math-Verify takes longer than most evaluations of numbers."""
    faults_before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
    with Grader() as grader:
        assert not grader.check_golds([a_problem(gold=gold) for gold in ("7", "-12", "2.5")])
        verdicts = [verdict(grader, "7", answer) for answer in ("7", "8", "7.0")]
        assert (
            grader.grade([Submission(gold="7", kind="math", num_choices=0, response="seven")])[0].verdict != "correct"
        )
    assert verdicts == ["correct", "wrong", "correct"]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt == faults_before, "a process was started and ended"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\frac{1}{2}", r"\dfrac{2}{4}"),
        ("x^2 - 1", "(x-1)(x+1)"),
        (r"2\sqrt{3}", r"\sqrt{12}"),
        ("1, 2", "2, 1"),
        (r"\text{Miriam}", "Miriam"),
        ("31", r"31^{\text{st}}"),
        (r"720 \mbox{ feet}^2", "720"),
        ("y = 5x - 8", "5x - 8"),
        (r"x \in [-4,9]", "[-4, 9]"),
        ("10", r"10\%"),
        ("(5, \\frac{\\pi}{3})", "(5, pi/3)"),
        ("7 - 2i", "-2i + 7"),
        (r"\begin{pmatrix} 1/3 \\ 2 \end{pmatrix}", r"\begin{pmatrix} \frac{1}{3} \\ 2 \end{pmatrix}"),
    ],
)
def test_right_answers(grader: Grader, gold: str, answer: str) -> None:
    assert verdict(grader, gold, answer) == "correct"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"2\sqrt{3}", "2"),
        ("(1, 2)", "(2, 1)"),
        ("[1, 2)", "(1, 2]"),
        ("x^2 - 1", "x^2 + 1"),
        ("1, 2, 3", "1, 2"),
    ],
)
def test_wrong_answers(grader: Grader, gold: str, answer: str) -> None:
    assert verdict(grader, gold, answer) == "wrong"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("1/2004!", "1/2006!"),
        ("2^{-99}", "2^{-98}"),
        ("3x-y+13=0", "3x+4y+14=0"),
        (r"1,2,\ldots,n", r"1,3,\ldots,2n-1"),
        ("x > 3", "x < 3"),
        ("10^{-12}", "10^{-13}"),
    ],
)
def test_strict_closes_what_math_verify_lets_through(grader: Grader, gold: str, answer: str) -> None:
    assert verdict(grader, gold, answer) == "wrong"
    assert verdict(grader, gold, gold) == "correct"


def test_without_strict_math_verifys_own_verdict_is_final() -> None:
    with Grader(num_workers=1, strict=False) as loose:
        assert verdict(loose, "2^{-99}", "2^{-98}") == "correct"


def test_every_verdict_has_a_reason(grader: Grader) -> None:
    submissions = [boxed("2", "2"), boxed("2", "3"), boxed("2", "x" * 5000), boxed("2", "\\frac{}{}^^^")]
    submissions.append(Submission(gold="2", kind="math", num_choices=0, response="I give up"))
    grades = grader.grade(submissions)
    assert [grade.verdict for grade in grades] == ["correct", "wrong", "unparseable", "unparseable", "no_answer"]
    assert all(grade.why for grade in grades)


def test_both_extractors_are_reported() -> None:
    response = r"\boxed{3} <answer> \boxed{2} </answer> \boxed{3}"
    with Grader(extractor="orz", num_workers=1) as grader:
        (grade,) = grader.grade([Submission(gold="2", kind="math", num_choices=0, response=response)])
    assert (grade.verdict, grade.second_extractor, grade.second_verdict) == ("correct", "boxed", "wrong")


def test_letters(grader: Grader) -> None:
    def letter(response: str) -> str:
        return grader.grade([Submission(gold="C", kind="choice", num_choices=4, response=response)])[0].verdict

    assert letter(r"\boxed{C}") == "correct"
    assert letter(r"\boxed{D}") == "wrong"
    assert letter("C is tempting") == "no_answer"


def test_every_kind_has_a_judge_and_mixed_kinds_keep_their_order(grader: Grader) -> None:
    assert set(JUDGES) == set(get_args(AnswerKind))
    letter = Submission(gold="C", kind="choice", num_choices=4, response=r"\boxed{C}")
    submissions = [boxed("2", "3"), letter, boxed("x+1", "1+x"), letter, boxed("2", "2")]
    assert [grade.why for grade in grader.grade(submissions)][1::2] == ["same letter", "same letter"]
    assert [grade.verdict for grade in grader.grade(submissions)] == ["wrong", *["correct"] * 4]


def test_a_rule_for_letters_does_not_read_mathematics() -> None:
    with (
        Grader(extractor="mmlu-pro", num_workers=1) as letters,
        pytest.raises(ConfigError, match="'mmlu-pro' does not"),
    ):
        letters.grade([boxed("2", "2")])


def test_golds_check_themselves(grader: Grader) -> None:
    problems = [
        a_problem(problem_id="good", gold=r"\frac{1}{2}"),
        a_problem(problem_id="words", gold=r"\text{upwards}"),
        a_problem(problem_id="empty", gold=" "),
        a_problem(problem_id="braces", gold=r"\frac{1}{2"),
        a_problem(problem_id="letter", gold="E", kind="choice", num_choices=4),
    ]
    assert [fault.problem_id for fault in grader.check_golds(problems)] == ["empty", "braces", "letter"]


def test_grading_works_from_any_thread(grader: Grader) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(verdict(grader, f"x + {n}", f"{n} + x"))) for n in range(2, 10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["correct"] * 8


def test_an_unknown_extractor_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'boxed'"):
        Grader(extractor="box")


def test_a_closed_grader_raises_an_error() -> None:
    grader = Grader(num_workers=1)
    grader.close()
    with pytest.raises(GradingError, match="closed"):
        grader.grade([boxed("x+1", "1+x")])


def test_nothing_in_an_answer_is_executed(grader: Grader, tmp_path: object) -> None:
    attempts = [
        f'__import__("pathlib").Path("{tmp_path}/owned").touch()',
        f"exec(open('{tmp_path}/owned','w'))",
        "().__class__.__bases__[0].__subclasses__()",
        "lambda: 1",
        r"\text{__import__('os').system('true')}",
        "eval(compile('1','','eval'))",
    ]
    grades = grader.grade([boxed("7", attempt) for attempt in attempts])
    assert not any(grade.is_correct for grade in grades)
    assert list(__import__("pathlib").Path(str(tmp_path)).iterdir()) == []
