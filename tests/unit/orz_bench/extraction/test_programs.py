"""Programs in responses: LiveCodeBench's rule, and the last closed block."""

from __future__ import annotations

import pytest

from orz_bench.extraction.programs import code_extractors, extract_fence, extract_lcb
from tests.support.cpu_time import at_most_cpu_seconds

FENCED = "text\n```python\nprint(1)\n```\nmore"


@pytest.mark.parametrize(
    ("response", "lcb", "fence"),
    [
        (FENCED, "print(1)", "print(1)"),
        (f"{FENCED}\n```\nprint(2)\n```", "print(2)", "print(2)"),
        ("```py\na = 1\n\nb = 2\n```", "a = 1\n\nb = 2", "a = 1\n\nb = 2"),
        ("no code", None, None),
        ("```python\nprint(1)", None, None),
        ("", None, None),
        ("```python\n```", None, None),
        ("```python\n  \n```", None, None),
        # The rule of LiveCodeBench counts lines with three backticks, whatever they are.
        (f"{FENCED}\nuse the ``` fence", "more", "print(1)"),
        (f"{FENCED}\n```python\ncut off", "more", "print(1)"),
        ("  ```python\n  x = 1\n  ```", "  x = 1", "  x = 1"),
        ("<answer>\n```python\nprint(3)\n```\n</answer>", "print(3)", "print(3)"),
    ],
)
def test_the_program_is_found(response: str, lcb: str | None, fence: str | None) -> None:
    assert (extract_lcb(response), extract_fence(response)) == (lcb, fence)


def test_extractors_for_mathematics_read_programs_by_the_official_rule() -> None:
    assert {code_extractors(name) for name in ("orz", "boxed", "final", "lcb")} == {("lcb", "fence")}
    assert code_extractors("fence") == ("fence", "lcb")


@pytest.mark.parametrize("response", ["```\n" * 200_000, "`" * 2_000_000, "```python\n" * 200_000])
def test_linear_time(response: str) -> None:
    with at_most_cpu_seconds(30):
        extract_lcb(response)
        extract_fence(response)
