"""Which option a text states: forms that choose, forms that leave open or reject, and texts that only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.extraction.letters import extract_letter, letter_of
from orz_bench.extraction.statements import Statement, outcome, plain, state

MARKDOWN = [
    ("**Answer: (C)**", 4, "C"),
    ("**Answer**: **C**", 4, "C"),
    ("__Answer:__ C", 4, "C"),
    ("Answer: `C`", 4, "C"),
    ("### Final Answer\n**C**", 4, None),
    ("**Final answer: C.**", 4, "C"),
    ("Answer: ***C***", 4, "C"),
    ("> Answer: C", 4, "C"),
    ("- **Answer:** (C) 5 m/s", 4, "C"),
    ("The correct answer is **(C)**.", 4, "C"),
    ("The correct answer is **C. 5 m/s**", 4, "C"),
    ("Answer: _C_", 4, "C"),
    ('Answer: "C"', 4, "C"),
    ("**Correct answer: C) foo bar**", 4, "C"),
    ("ANSWER: (**C**)", 4, "C"),
    ("Answer: **(C) 5** because of it", 4, "C"),
    ("Answer: $\\mathbf{C}$", 4, "C"),
    ("Answer: $\\boxed{C}$", 4, "C"),
    ("Answer: \\(C\\)", 4, "C"),
    ("`Answer: C`", 4, "C"),
    ("**The answer is: C**", 4, "C"),
    ("Answer : C", 4, "C"),
    ("**C.** 5 m/s", 4, "C"),
    ("*C*", 4, "C"),
]
ANNOUNCING_NOTHING = [
    ("Answer: B cells", 4, None),
    ("Answer: B lymphocytes are", 4, None),
    ("Answer: D-glucose", 4, None),
    ("Answer: A-type star", 4, None),
    ("Answer: C++ is used", 4, None),
    ("Answer: B2", 4, None),
    ("Answer: CO2", 4, None),
    ("Answer: D'", 4, None),
    ("Answer: A^2", 4, None),
    ("Answer: A_1", 4, None),
    ("Answer: an increase", 4, None),
    ("Answer: a", 4, "A"),
    ("Answer: A reduction.", 4, None),
    ("Answer: C/D", 4, None),
    ("Answer: C & D", 4, None),
    ("Answer: C, D or A", 4, None),
    ("Answer: C and/or D", 4, None),
    ("Answer: either C or D", 4, None),
    ("Answer: both A and B", 4, None),
    ("Answer: not C", 4, None),
    ("Answer: D is not right", 4, None),
    ("Answer: D is wrong", 4, None),
    ("Answer: D isn't correct", 4, None),
    ("Answer: (C) or (D)", 4, None),
    ("Answer: C (or D)", 4, None),
    ("Answer: C?", 4, None),
    ("Answer: C or maybe D", 4, None),
    ("Answer: A, B, C", 4, None),
    ("Answer: A, B and C", 4, None),
    ("Answer: A; B", 4, None),
    ("Answer: D > B", 4, None),
    ("Answer: B - A", 4, None),
    ("Answer: A B", 4, None),
    ("Answer: AB", 4, None),
    ("Answer: C.D.", 4, None),
    ("Answer: Vitamin C", 4, None),
    ("Answer: carbon (C)", 4, None),
    ("Answer: none", 4, None),
    ("Answer: neither A nor B", 4, None),
    ("Answer: all but C", 4, None),
    ("Answer: B x v", 4, None),
    ("Answer: C = 2\u03c0r", 4, None),
    ("Answer: D = 3", 4, None),
    ("Answer: A*B", 4, None),
    ("Answer: B\u00b7v", 4, None),
    ("Answer: A(t) = 3", 4, None),
    ("Answer: C\u2086H\u2081\u2082O\u2086", 4, None),
    ("Answer: C\u2013H bond", 4, None),
    ("Answer: C-C bond", 4, None),
    ("Answer: B, or C", 4, None),
    ("Answer: A or, B", 4, None),
]
ANNOUNCED = [
    ("Answer: C, since 5 is more", 4, "C"),
    ("Answer: C because it is", 4, "C"),
    ("Answer: C.\nBecause it is", 4, "C"),
    ("Answer: C - carbon", 4, "C"),
    ("Answer: C \u2013 5 m/s", 4, "C"),
    ("Answer: C: 5 m/s", 4, "C"),
    ("Answer: C) 5 m/s", 4, "C"),
    ("Answer: C (5 m/s)", 4, "C"),
    ("Answer: (C) Both A and B", 4, "C"),
    ("Answer: C. Both A and B", 4, "C"),
    ("Answer: D. All of the above", 4, "D"),
    ("Answer: D. Neither A nor B", 4, "D"),
    ("Answer: B. No, because it is hearsay", 4, "B"),
    ("Answer: D. Not wrong, Wrong", 4, "D"),
    ("Answer: (B) Not enough information", 4, "B"),
    ("Answer: C. Cannot be determined", 4, "C"),
    ("Answer: A is correct.", 4, "A"),
    ("Answer: A is the right choice", 4, "A"),
    ("Answer: I think it's C", 10, "C"),
    ("Answer: I believe the answer is C", 10, "C"),
    ("Answer: I", 10, "I"),
    ("Answer: I.", 10, "I"),
    ("Answer: (I) 5 J", 10, "I"),
    ("Answer: J", 10, "J"),
    ("Answer: the correct option is C", 4, "C"),
    ("Answer:\n\nC", 4, "C"),
    ("Answer:\n(C) 5", 4, "C"),
    ("Final Answer:\n**C**", 4, "C"),
    ("Final Answer: **Option C**", 4, "C"),
    ("The answer is option C.", 4, "C"),
    ("The answer is therefore C.", 4, "C"),
    ("The answer to the question is C.", 4, "C"),
    ("The correct choice is (C).", 4, "C"),
    ("The best answer is C.", 4, "C"),
    ("Answer\uff1a\uff08C\uff09", 4, "C"),
    ("Answer: \uff23", 4, "C"),
    ("Answer: \U0001d402", 4, "C"),
    ("Answer: c", 4, "C"),
    ("Answer: (c)", 4, "C"),
    ("answer: d.", 4, "D"),
    ("Answer: C\n\nA, B and D are wrong.", 4, "C"),
    ("Answer: C. A is wrong.", 4, "C"),
    ("Answer: C. A and B are wrong.", 4, "C"),
    ("The answer is C, not D.", 4, "C"),
    ("The answer is B. D is a distractor.", 4, "B"),
    ("My answer: A. Wait. Answer: B", 4, "B"),
    ("If the answer is A, then x. So the answer is B", 4, "B"),
    ("The answer is D. The answer is not A.", 4, "D"),
    ("The answer is D. Answer: not D", 4, None),
    ("Answer: C!", 4, "C"),
    ("Answer: {C}", 4, "C"),
    ("Answer: <b>C</b>", 4, "C"),
]
BOXES = [
    ("\\boxed{C: 5}", 4, "C"),
    ("\\boxed{\\textbf{(C) }5}", 4, "C"),
    ("\\boxed{\\text{(C) 5}}", 4, "C"),
    ("\\boxed{\\textbf{C}}", 4, "C"),
    ("\\boxed{\\mathsf{C}}", 4, "C"),
    ("\\boxed{\\boldsymbol{C}}", 4, "C"),
    ("\\boxed{[C]}", 4, "C"),
    ("\\boxed{$C$}", 4, "C"),
    ("\\boxed{C\\,}", 4, "C"),
    ("\\boxed{\\textbf{(C)}~5}", 4, "C"),
    ("\\boxed{\\textbf{(C)}\\hspace{1em}5}", 4, "C"),
    ("\\boxed{\\textbf{(C)} \\frac{1}{2}}", 4, "C"),
    ("\\boxed{\\text{Answer: C}}", 4, "C"),
    ("\\boxed{\\text{The answer is C}}", 4, "C"),
    ("\\boxed{Answer C}", 4, "C"),
    ("\\boxed{Choice C}", 4, "C"),
    ("\\boxed{\\text{option } C}", 4, "C"),
    ("\\boxed{c}", 4, "C"),
    ("\\boxed{c.}", 4, "C"),
    ("\\boxed{\\large C}", 4, "C"),
    ("\\boxed{\\Large\\textbf{C}}", 4, "C"),
    ("\\boxed{C;}", 4, "C"),
    ("\\boxed{C\\text{. }5}", 4, "C"),
    ("\\boxed{\\text{C}\\text{. 5}}", 4, "C"),
    ("\\boxed{\\textbf{C. } 5}", 4, "C"),
    ("\\boxed{\uff23}", 4, "C"),
    ("\\boxed{\\mathcal{C}}", 4, "C"),
    ('\\boxed{"C"}', 4, "C"),
    ("\\boxed{'C'}", 4, "C"),
    ("\\boxed{(C):5}", 4, "C"),
    ("\\boxed{C)}", 4, "C"),
    ("\\boxed{C \u2014 5}", 4, "C"),
    ("\\boxed{\\mathrm{C}: 5}", 4, "C"),
    ("\\boxed{ \\text{C} \\quad \\text{5} }", 4, "C"),
    ("\\fbox{C}", 4, "C"),
    ("\\boxed C", 4, "C"),
    ("\\boxed{\\left(C\\right)}", 4, "C"),
    ("\\boxed{(\\textbf{C})\\ 5}", 4, "C"),
    ("\\boxed{\\color{red}C}", 4, "C"),
    ("\\boxed{\\textcolor{red}{C}}", 4, "C"),
    ("\\boxed{\\mbox{C}}", 4, "C"),
    ("\\boxed{\\textbf{(C)}\\ \\text{5 or 6}}", 4, "C"),
    ("\\boxed{\\underline{C}}", 4, "C"),
    ("\\boxed{\\phantom{0}C}", 4, "C"),
    ("\\boxed{\\texttt{C}}", 4, "C"),
    ("\\boxed{\\emph{C}}", 4, "C"),
    ("\\boxed{(C) not (D)}", 4, "C"),
    ("\\boxed{C}\\boxed{D}", 4, "D"),
]
OPEN_BOXES = [
    ("\\boxed{C\\ \\text{or}\\ D}", 4, None),
    ("\\boxed{C,D}", 4, None),
    ("\\boxed{CD}", 4, None),
    ("\\boxed{C\\ D}", 4, None),
    ("\\boxed{(C)(D)}", 4, None),
    ("\\boxed{(C), (D)}", 4, None),
    ("\\boxed{C \\text{ and } D}", 4, None),
    ("\\boxed{C \\& D}", 4, None),
    ("\\boxed{\\text{C or D}}", 4, None),
    ("\\boxed{\\text{C}, \\text{D}}", 4, None),
    ("\\boxed{C|D}", 4, None),
    ("\\boxed{C\\vee D}", 4, None),
    ("\\boxed{C\\lor D}", 4, None),
    ("\\boxed{\\text{(C) 5 or (D) 6}}", 4, None),
    ("\\boxed{C. 5 or D. 6}", 4, None),
    ("\\boxed{\\neg C}", 4, None),
    ("\\boxed{\\text{not } C}", 4, None),
    ("\\boxed{\\text{none of C}}", 4, None),
    ("\\boxed{not (C)}", 4, None),
    ("\\boxed{C is wrong}", 4, None),
    ("\\boxed{C?}", 4, None),
    ("\\boxed{C or not}", 4, None),
    ("\\boxed{C, or D}", 4, None),
    ("\\boxed{C; D}", 4, None),
    ("\\boxed{C.D}", 4, None),
    ("\\boxed{C\\text{ or }D}", 4, None),
    ("\\boxed{\\text{Either C or D}}", 4, None),
    ("\\boxed{\\{C, D\\}}", 4, None),
    ("\\boxed{maybe C}", 4, None),
    ("\\boxed{C_6H_{12}O_6}", 4, None),
    ("\\boxed{\\text{C}_6}", 4, None),
    ("\\boxed{\\mathrm{C_2H_6}}", 4, None),
    ("\\boxed{C^2}", 4, None),
    ("\\boxed{C+1}", 4, None),
    ("\\boxed{B'}", 4, None),
    ("\\boxed{AB}", 4, None),
    ("\\boxed{A, B, C}", 4, None),
    ("\\boxed{A \\to B}", 4, None),
    ("\\boxed{A \\cup B}", 4, None),
    ("\\boxed{A \\cap B}", 4, None),
    ("\\boxed{(A, B)}", 4, None),
    ("\\boxed{C or D} Answer: C", 4, None),
]
TAGS = [
    ("<answer>(B)</answer></answer>", 4, "B"),
    ("<answer><answer>B</answer>", 4, "B"),
    ("<answer>Answer: B</answer>", 4, "B"),
    ("<answer>\nB\n</answer>", 4, "B"),
    ("<answer>**B**</answer>", 4, "B"),
    ("<answer>The correct answer is (B).</answer>", 4, "B"),
    ("<answer>B. 5 m/s</answer>", 4, "B"),
    ("<answer>B or C</answer>", 4, None),
    ("<answer>not B</answer>", 4, None),
    ("<answer>a reduction</answer>", 4, None),
    ("<answer>b</answer>", 4, "B"),
    ("<answer>B cells</answer>", 4, None),
    ("<answer>It is B</answer>", 4, "B"),
    ("<answer>I choose B</answer>", 4, "B"),
    ("<answer>Therefore, B.</answer>", 4, "B"),
]
LATER_FINDS = [
    (r"\boxed{C} or \boxed{D}", 4, None),
    (r"\(\boxed{C}\) and \(\boxed{D}\)", 4, None),
    ("Answer: not A but C", 4, "C"),
    ("Answer: C, H, O", 4, None),
    ("Answer: C. O", 4, "C"),
    ("Option C", 4, "C"),
    ("<answer>B", 4, None),
    ("Option (C): 5 m/s", 4, "C"),
    ("(C)", 4, "C"),
    ("C: 5 m/s", 4, "C"),
    ("Answer: choice C", 4, "C"),
    ("Answer: $\\boxed{C}$", 4, "C"),
    ("Answer:**C**", 4, "C"),
]
THOUGHTS = [
    ("<think>Answer: A</think>Answer: B", 4, "B"),
    ("<think>Answer: A", 4, None),
    ("Answer: A </think> Answer: B", 4, "B"),
    ("\\boxed{A}</think> done", 4, None),
    ("<think>\\boxed{A}</think>", 4, None),
    ("<think>a</think>Answer: B<think>Answer: C", 4, "B"),
    ("<think>x</think> B", 4, "B"),
]


@pytest.mark.parametrize(
    ("response", "num_choices", "letter"),
    [*MARKDOWN, *ANNOUNCING_NOTHING, *ANNOUNCED, *BOXES, *OPEN_BOXES, *TAGS, *LATER_FINDS, *THOUGHTS],
)
def test_letters(response: str, num_choices: int, letter: str | None) -> None:
    assert extract_letter(response, "final", num_choices=num_choices) == letter


@pytest.mark.parametrize(
    "text", ["B cells", "a reduction", "C6H12O6", "C = 5", "D' is", "A-type", "I computed", "A 12 V"]
)
def test_what_begins_like_a_letter_is_none_of_them(text: str) -> None:
    assert state(text, num_choices=26, how="announced") is None


def test_a_choice_stands_until_it_is_taken_back_or_left_open() -> None:
    chosen, other, taken_back = Statement("chosen", "A"), Statement("rejected", "B"), Statement("rejected", "A")
    assert outcome([chosen, other]) == "A"
    assert outcome([chosen, taken_back]) is None
    assert outcome([chosen, Statement("open")]) is None
    assert outcome([taken_back, chosen]) == "A"


words = st.text(st.sampled_from("abcdefghij -'.,5()=+/^_AB"), max_size=30)


@given(
    st.sampled_from("ABCDIbd"),
    st.sampled_from(
        ["-", "'", "_1", "^2", "2", "+B", "=3", " = 3", " car", " 12 V", "lpha", "* x", " x", "(t)", "\u2082"]
    ),
    words,
)
def test_a_letter_that_does_not_stand_alone_is_not_chosen(letter: str, glued: str, text: str) -> None:
    found = state(f"{letter}{glued}{text}", num_choices=10, how="announced")
    assert found is None or found.kind != "chosen"


@given(
    st.lists(
        st.sampled_from(["an", "increase", "of", "pressure", "no", "5", "energy", "in", "both", "(5)"]), min_size=1
    )
)
def test_a_text_without_a_letter_chooses_none(text: list[str]) -> None:
    assert extract_letter(f"Answer: {' '.join(text)}", "final", num_choices=10) is None


@given(words, st.sampled_from("ABCD"))
def test_an_announcement_of_a_letter_alone_is_read_after_any_text(text: str, letter: str) -> None:
    assert extract_letter(f"{text}\n\n**Answer:** {letter}", "final", num_choices=4) == letter


@given(words)
def test_typesetting_does_not_change_what_a_box_states(text: str) -> None:
    dressed = rf"\textbf{{{text}}}"
    assert letter_of(dressed, 10) == letter_of(text, 10) or len(text.strip(" ()")) == 1


@pytest.mark.parametrize(
    "text",
    ["Answer: " * 30_000, "*" * 200_000, "\\text{" * 40_000, "**a" * 70_000, "(" * 200_000, "answer is not " * 15_000],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    plain(text)
    extract_letter(text, "final", num_choices=4)
