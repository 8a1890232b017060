r"""One answer in many typesettings that all say the same, and the same answer with one element changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_FULL_WIDTH = str.maketrans("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")
_WRAPPINGS = (
    "${}$",
    r"\({}\)",
    r"\[{}\]",
    "$${}$$",
    "{}.",
    "  {}\n",
    r"\displaystyle {}",
    "{{{}}}",
    "{{{{{}}}}}",
    r"\textcolor{{red}}{{{}}}",
    r"\color{{blue}} {}",
    r"{{\color{{blue}} {}}}",
    r"\boxed{{{}}}",
    r"\fbox{{{}}}",
    r"\large {}",
    r"{{\Large {}}}",
    r"\mathbf{{{}}}",
    r"\boldsymbol{{{}}}",
    r"\bm{{{}}}",
    r"\underline{{{}}}",
    r"{} \blacksquare",
    r"{} \quad \blacksquare",
    r"{}\ \checkmark",
    r"{} \square",
    "= {}",
    "**{}**",
    "#### {}",
    r"\, {} \,",
    r"\ {}\ ",
    "~{}~",
    "\u200b{}\u200b",
    "\ufeff{}",
    "The answer is ${}$.",
    r"\text{{The answer is }} {}",
    "Answer: {}",
    "**Answer:** ${}$",
    "Final answer: {}",
    r"{} \tag{{1}}",
    r"\hspace{{1mm}}{}",
    "`{}`",
    r"{{\bf {}}}",
    "**Final Answer: ${}$**",
    "So the answer is ${}$",
)
_REWRITINGS: tuple[Callable[[str], str], ...] = (
    lambda gold: re.sub(r"\\frac(?![a-z])", r"\\dfrac", gold),
    lambda gold: (
        re.sub(r"(?<!\\left)(?<!\\)([(\[])", r"\\left\1", re.sub(r"(?<!\\right)(?<!\\)([)\]])", r"\\right\1", gold))
        if gold.count("(") == gold.count(")")
        and gold.count("[") == gold.count("]")
        and "\\sqrt[" not in gold
        and "\\left" not in gold
        else gold
    ),
    lambda gold: gold.translate(_FULL_WIDTH),
    lambda gold: gold.replace("-", "\u2212").replace(r"\pi", "\u03c0").replace(r"\infty", "\u221e"),
    lambda gold: re.sub(r"(?<=[^\\]) ?([+=<>]) ?", r" \1 ", gold),
    lambda gold: gold.replace(",", ", "),
)


def dresses(gold: str) -> Iterator[str]:
    """The gold as an answer in 49 typesettings."""
    for wrapping in _WRAPPINGS:
        yield wrapping.format(gold)
    for rewrite in _REWRITINGS:
        if (answer := rewrite(gold)) != gold and not re.search(r"\d,\s*\d{3}(?!\d)", gold):
            yield answer


def changed(gold: str) -> Iterator[str]:
    """The gold with its last digit, its first sign or its first variable changed, where that makes another answer."""
    digits = [found.start() for found in re.finditer(r"(?<![{,\d]\\)\d", gold)]
    if digits:
        place = digits[-1]
        yield gold[:place] + str((int(gold[place]) + 1) % 10 or 4) + gold[place + 1 :]
        if not re.match(r"\s*(?:-|0(?![.\d])|0+\.0*$|[A-Za-z\\{\[(|])", gold):
            yield f"-{gold}"
    letters = [found for found in re.finditer(r"(?<![A-Za-z\\{])[a-z](?![A-Za-z}])", gold) if found.group() not in "ei"]
    if letters and "=" not in gold and "\\text" not in gold and not re.search(r"[<>]|\\[lg]e|\\in(?![a-z])", gold):
        name = letters[0].group()
        yield re.sub(rf"(?<![A-Za-z\\]){name}(?![A-Za-z])", name.upper(), gold)
