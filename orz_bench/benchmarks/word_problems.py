"""word_problems: one-step word problems and conversions of units, for small real models. Ships with the product.

Held out are numbers that training never has (level 1), and forms of question that it never has (level 2).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from typing import Literal

from orz_bench.benchmarks.benchmark import Benchmark
from orz_bench.errors import ConfigError, counted
from orz_bench.records.rollout import Problem

_SEED = 2024
_NUM_PROBLEMS = 120
_HELD_OUT_ONE_IN = 5
_DRAWS = 200
"""Of each form; those that repeat a question are dropped."""
_NAMES = ("Tom", "Mia", "Sam", "Lena", "Omar", "Ivy", "Noah", "Zoe")

EXAMPLES = (
    "Problem: Leo has 9 pens and buys 4 more. How many pens does Leo have?\n"
    "Solution: 9 + 4 = 13. The answer is \\boxed{13}.\n\n"
    "Problem: There are 6 nets with 3 fish in each net. How many fish are there?\n"
    "Solution: 6 * 3 = 18. The answer is \\boxed{18}.\n\n"
    "Problem: Ann has 15 cups and breaks 6 of them. How many cups are left?\n"
    "Solution: 15 - 6 = 9. The answer is \\boxed{9}.\n\n"
    "Problem: 12 plums are shared equally among 3 girls. How many plums does each girl get?\n"
    "Solution: 12 / 3 = 4. The answer is \\boxed{4}.\n\n"
)
"""Shown before a question by the template `worked`."""

Split = Literal["held_out", "train"]
Drawn = tuple[str, int]
"""A question and its answer."""
Form = Callable[[random.Random], Drawn]


def _more(draw: random.Random) -> Drawn:
    a, b, name = draw.randint(3, 20), draw.randint(3, 20), draw.choice(_NAMES)
    thing = draw.choice(("apples", "stickers", "coins", "books"))
    return f"{name} has {a} {thing} and gets {b} more. How many {thing} does {name} have now?", a + b


def _gives(draw: random.Random) -> Drawn:
    a, name = draw.randint(8, 30), draw.choice(_NAMES)
    b = draw.randint(2, a - 2)
    thing = draw.choice(("marbles", "cards", "cookies", "pencils"))
    return f"{name} has {a} {thing} and gives away {b} of them. How many {thing} are left?", a - b


def _bags(draw: random.Random) -> Drawn:
    a, b = draw.randint(2, 9), draw.randint(2, 9)
    thing = draw.choice(("oranges", "buttons", "shells", "nuts"))
    return f"There are {a} bags with {b} {thing} in each bag. How many {thing} are there in total?", a * b


def _share(draw: random.Random) -> Drawn:
    a, b = draw.randint(2, 9), draw.randint(2, 9)
    thing = draw.choice(("sweets", "balloons", "stamps", "grapes"))
    return f"{a * b} {thing} are shared equally among {a} children. How many {thing} does each child get?", b


def _cost(draw: random.Random) -> Drawn:
    a, b, thing = draw.randint(2, 9), draw.randint(2, 9), draw.choice(("pen", "ticket", "ball", "cup"))
    return f"One {thing} costs {a} dollars. How many dollars do {b} {thing}s cost?", a * b


def _hours(draw: random.Random) -> Drawn:
    a = draw.randint(2, 20)
    return f"How many minutes are there in {a} hours?", 60 * a


def _metres(draw: random.Random) -> Drawn:
    a = draw.randint(2, 60)
    return f"How many centimeters are there in {a} meters?", 100 * a


def _weeks(draw: random.Random) -> Drawn:
    a = draw.randint(2, 30)
    return f"How many days are there in {a} weeks?", 7 * a


def _older(draw: random.Random) -> Drawn:
    a, b, (name, other) = draw.randint(4, 30), draw.randint(2, 15), draw.sample(_NAMES, 2)
    return f"{name} is {a} years old. {other} is {b} years older than {name}. How old is {other}?", a + b


def _drive(draw: random.Random) -> Drawn:
    a, b = 10 * draw.randint(2, 9), draw.randint(2, 9)
    return f"A car drives {a} miles per hour for {b} hours. How many miles does it drive?", a * b


def _change(draw: random.Random) -> Drawn:
    a, b = draw.randint(2, 18), draw.choice((20, 30, 40, 50))
    return f"A toy costs {a} dollars. You pay with {b} dollars. How many dollars do you get back?", b - a


def _pages(draw: random.Random) -> Drawn:
    a, name = draw.randint(20, 90), draw.choice(_NAMES)
    b = draw.randint(5, a - 5)
    return f"A book has {a} pages. {name} has read {b} pages. How many pages are left to read?", a - b


def _both(draw: random.Random) -> Drawn:
    a, b, colours = draw.randint(3, 20), draw.randint(3, 20), draw.sample(("red", "blue", "green", "white"), 2)
    return f"A jar holds {a} {colours[0]} and {b} {colours[1]} beads. How many beads does the jar hold?", a + b


def _rows(draw: random.Random) -> Drawn:
    a, b, thing = draw.randint(2, 9), draw.randint(2, 9), draw.choice(("chairs", "trees", "desks", "plants"))
    return f"A garden has {a} rows of {thing}, and every row has {b} {thing}. How many {thing} is that?", a * b


def _boxes(draw: random.Random) -> Drawn:
    a, b = draw.randint(2, 9), draw.randint(2, 9)
    return f"A box holds {a} eggs. How many boxes do you need for {a * b} eggs?", b


def _days(draw: random.Random) -> Drawn:
    a = draw.randint(2, 20)
    return f"How many hours are there in {a} days?", 24 * a


def _fewer(draw: random.Random) -> Drawn:
    a, (name, other) = draw.randint(8, 30), draw.sample(_NAMES, 2)
    b = draw.randint(2, a - 2)
    return f"{name} has {a} toys. {other} has {b} fewer toys than {name}. How many toys does {other} have?", a - b


def _kilometres(draw: random.Random) -> Drawn:
    a = draw.randint(2, 60)
    return f"How many meters are there in {a} kilometers?", 1000 * a


_FORMS: Mapping[str, Form] = {
    form.__name__.strip("_"): form
    for form in (_more, _gives, _bags, _share, _cost, _hours, _metres, _weeks, _older, _drive, _change, _pages)
}
_NEW_FORMS: Mapping[str, Form] = {
    form.__name__.strip("_"): form for form in (_both, _rows, _boxes, _days, _fewer, _kilometres)
}
"""Never in training."""


def generate_word_problems(*, split: Split, num_problems: int | None = None, seed: int = _SEED) -> list[Problem]:
    """Distinct problems of a split in a seeded order, forms in turn as long as each lasts. A function of its arguments.

    Which split a question belongs to depends on its text alone, so no seed and no number makes the two overlap.
    Raises ConfigError for more problems than the split has.
    """
    known = _in_turn([_of_form(name, form, split=split, seed=seed) for name, form in _FORMS.items()])
    if split == "held_out":
        new = _in_turn([_of_form(name, form, split=split, seed=seed) for name, form in _NEW_FORMS.items()])
        known = _in_turn([known, new])
    if num_problems is not None and num_problems > len(known):
        raise ConfigError(
            f"{counted(num_problems, 'word problem', verb=('is', 'are'))} wanted, but the split "
            f"{split!r} has {len(known):,}; ask for fewer."
        )
    return known[:num_problems]


def _in_turn(groups: list[list[Problem]]) -> list[Problem]:
    longest = max(map(len, groups))
    return [group[index] for index in range(longest) for group in groups if index < len(group)]


def _of_form(name: str, form: Form, *, split: Split, seed: int) -> list[Problem]:
    draw = random.Random(f"word problems {seed} {name}")
    drawn = dict(form(draw) for _ in range(_DRAWS))
    new = name in _NEW_FORMS
    return [
        Problem(
            benchmark="word_problems",
            problem_id=f"{name}-{_digest(question):016x}",
            question=question,
            gold=str(answer),
            kind="math",
            examples=EXAMPLES,
            extra={"level": 2 if new else 1, "subject": name},
        )
        for question, answer in drawn.items()
        if new or _split_of(question) == split
    ]


def _digest(question: str) -> int:
    return int.from_bytes(hashlib.sha256(question.encode()).digest()[:8], "big")


def _split_of(question: str) -> Split:
    return "held_out" if _digest(question) % _HELD_OUT_ONE_IN == 0 else "train"


BENCHMARK = Benchmark(
    name="word_problems",
    title="Word problems, one step",
    kind="math",
    num_problems=_NUM_PROBLEMS,
    licence="Apache-2.0, with the product",
    generate=lambda: generate_word_problems(split="held_out", num_problems=_NUM_PROBLEMS),
    breakdowns=("level", "subject"),
)
