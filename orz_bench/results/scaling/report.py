"""Scaling curves as a terminal table, JSON, and one HTML page with figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orz_bench.errors import counted
from orz_bench.records.intervals import Interval, percent_spread
from orz_bench.results.breakdown_tables import percent
from orz_bench.results.html import html_list, html_page, html_table
from orz_bench.results.scaling.chart import Line, chart
from orz_bench.results.scaling.curves import Point, RulePair, Scaling, Setting, scaling_of
from orz_bench.results.scaling.stored import StoredEvaluation

_PAIR_HEADINGS = ("A", "B", "length of A", "of B", "B - A, points", "95 %", "p", "p (Holm)", "detectable")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledEvaluation:
    """One evaluation with its curves and comparisons."""

    stored: StoredEvaluation
    scaling: Scaling
    pairs: tuple[RulePair, ...]

    @classmethod
    def of(
        cls,
        stored: StoredEvaluation,
        *,
        rules: Sequence[str] = (),
        ks: Sequence[int] = (),
        settings: Sequence[Setting] = (),
    ) -> Self:
        """All curves, and the first setting against each of the others; by default every rule against majority.

        ConfigError for rules, numbers and settings that the answers do not allow.
        """
        scaling = scaling_of(stored.questions, rules=rules, ks=ks)
        pairs = [(settings[0], other) for other in settings[1:]] if settings else scaling.at_equal_length()
        return cls(stored=stored, scaling=scaling, pairs=tuple(scaling.compare(pairs)))

    @property
    def title(self) -> str:
        """Benchmark, model and size."""
        result = self.stored.result
        questions = counted(len(self.scaling.questions), "question")
        return f"{result.benchmark}, {result.model}, step {result.step}: {questions}, n = {self.scaling.n}"

    @property
    def name(self) -> str:
        """As a part of a file's name."""
        result = self.stored.result
        return f"{result.benchmark}-step{result.step:06d}-{result.fingerprint}"

    def notes(self) -> list[str]:
        """What a reader has to know."""
        drawn = [rule.name for rule in self.scaling.rules if not self.scaling.is_enumerated(rule)]
        estimated = f"{', '.join(drawn)}: means over seeded random orders; the others over all subsets" if drawn else ""
        bound = "pass needs to know the right answer: it bounds the others and is not on the front"
        has_pass = any(rule.is_oracle for rule in self.scaling.rules)
        return [*self.stored.notes, *filter(None, [estimated, bound if has_pass else ""])]

    def to_json(self) -> dict[str, Any]:
        """Plain values; accuracies are fractions."""
        result, scaling = self.stored.result, self.scaling
        return {
            "run": result.run,
            "benchmark": result.benchmark,
            "model": result.model,
            "step": result.step,
            "fingerprint": result.fingerprint,
            "num_questions": len(scaling.questions),
            "n": scaling.n,
            "unit": self.stored.unit,
            "critic": self.stored.critic,
            "rules": [
                {
                    "name": rule.name,
                    "what": rule.what,
                    "source": rule.source,
                    "is_oracle": rule.is_oracle,
                    "is_exact": scaling.is_enumerated(rule),
                }
                for rule in scaling.rules
            ],
            "points": [asdict(point) for point in scaling.points],
            "front": [{"rule": point.rule, "k": point.k} for point in scaling.front()],
            "comparisons": [_pair_json(pair) for pair in self.pairs],
            "notes": self.notes(),
        }


def render_scaling(evaluations: Sequence[ScaledEvaluation]) -> RenderableType:
    """For a terminal: accuracy in percent and mean length for each k, the front, the comparisons."""
    parts: list[RenderableType] = []
    for each in evaluations:
        table = Table(*_headings(each), title=each.title, title_justify="left", box=None, pad_edge=False)
        for row in _rows(each):
            table.add_row(*row)
        pairs = Table(*_PAIR_HEADINGS, title="paired tests over questions", title_justify="left", box=None)
        for pair in each.pairs:
            pairs.add_row(*_pair_row(pair))
        lines = [f"front (the most accurate for its {each.stored.unit}): {_front_text(each)}", *each.notes()]
        parts += [table, Text("\n".join(lines)), Text()]
        parts += [pairs, Text()] if each.pairs else []
    return Group(*parts)


def render_scaling_html(evaluations: Sequence[ScaledEvaluation]) -> str:
    """The page: figures, tables and comparisons of every evaluation."""
    body = ["<h1>Test-time scaling</h1>"]
    for each in evaluations:
        body += [
            f"<h2>{escape(each.title)}</h2>",
            scaling_svg(each),
            html_table(_headings(each), _rows(each)),
            f"<p>Front, the most accurate for its {each.stored.unit}: {escape(_front_text(each))}.</p>",
            html_table(_PAIR_HEADINGS, [_pair_row(pair) for pair in each.pairs]) if each.pairs else "",
            html_list("What to know before quoting these numbers", each.notes()),
            html_list(
                "Rules",
                [
                    f"{rule.name}: {rule.what}{f' ({rule.source})' if rule.source else ''}"
                    for rule in each.scaling.rules
                ],
            ),
        ]
    return html_page("Test-time scaling", body)


def scaling_svg(each: ScaledEvaluation) -> str:
    """Two panels: accuracy against k, and against the mean length a question."""
    by_k = [_line(each, rule.name, by_length=False, is_dashed=rule.is_oracle) for rule in each.scaling.rules]
    by_length = [_line(each, rule.name, by_length=True, is_dashed=rule.is_oracle) for rule in each.scaling.rules]
    return chart([("samples k", by_k), (f"{each.stored.unit} a question", by_length)])


def _line(each: ScaledEvaluation, rule: str, *, by_length: bool, is_dashed: bool) -> Line:
    points = sorted(each.scaling.points_of(rule), key=lambda point: point.length if by_length else point.k)
    return Line(
        label=rule,
        x=[point.length if by_length else point.k for point in points],
        y=[point.accuracy for point in points],
        low=[point.low if point.low is not None else point.accuracy for point in points],
        high=[point.high if point.high is not None else point.accuracy for point in points],
        is_dashed=is_dashed,
    )


def _headings(each: ScaledEvaluation) -> list[str]:
    return ["rule", *(f"k = {k}" for k in each.scaling.ks), f"95 % at k = {each.scaling.ks[-1]}"]


def _rows(each: ScaledEvaluation) -> list[list[str]]:
    return [
        [rule.name, *map(_cell, each.scaling.points_of(rule.name)), _band(each.scaling.points_of(rule.name)[-1])]
        for rule in each.scaling.rules
    ]


def _cell(point: Point) -> str:
    star = "*" if point.on_front else ""
    return f"{percent(point.accuracy)}{star} ({_short(point.length)})"


def _short(length: float) -> str:
    return f"{length:,.0f}" if length < 10_000 else f"{length / 1000:,.1f}k"


def _band(point: Point) -> str:
    found = None if point.low is None or point.high is None else Interval(point.low, point.high)
    return percent_spread(point.accuracy, found)


def _front_text(each: ScaledEvaluation) -> str:
    return ", ".join(
        f"{point.rule}@{point.k} {percent(point.accuracy)} ({_short(point.length)})" for point in each.scaling.front()
    )


def _pair_row(pair: RulePair) -> list[str]:
    test = pair.comparison
    effect = test.minimum_detectable_effect
    return [
        str(pair.a),
        str(pair.b),
        _short(pair.lengths[0]),
        _short(pair.lengths[1]),
        f"{100 * test.difference:+.1f}",
        f"{100 * test.low:+.1f} to {100 * test.high:+.1f}",
        f"{test.p_value:.3g}",
        f"{pair.p_holm:.3g}",
        "–" if effect is None else f"{100 * effect:.1f}",
    ]


def _pair_json(pair: RulePair) -> dict[str, Any]:
    test = pair.comparison
    return {
        "a": asdict(pair.a),
        "b": asdict(pair.b),
        "lengths": list(pair.lengths),
        "num_questions": test.num_questions,
        "average_a": test.average_a,
        "average_b": test.average_b,
        "difference": test.difference,
        "low": test.low,
        "high": test.high,
        "p_value": test.p_value,
        "p_holm": pair.p_holm,
        "minimum_detectable_effect": test.minimum_detectable_effect,
    }
