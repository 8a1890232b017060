"""All checks by the name of their instruction, and what a response makes of them, strictly and loosely."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orz_bench.grading.ifbench import counts, formats, sentences, tasks, words
from orz_bench.grading.ifbench.texts import Check, Given, Tools

CHECKS: Mapping[str, Check] = {
    **counts.CHECKS,
    **words.CHECKS,
    **sentences.CHECKS,
    **formats.CHECKS,
    **tasks.CHECKS,
}
_REMEDIES = {
    "syllables": "needs the package syllapy; install it",
    "first_tag": "needs NLTK's tagger (python -m nltk.downloader averaged_perceptron_tagger_eng)",
}


def load_tools() -> Tools:
    """The libraries of a worker. Raises ImportError if NLTK is missing; the others may be."""
    tokenize: Any = importlib.import_module("nltk.tokenize")
    return Tools(
        sentences=tokenize.sent_tokenize,
        tokens=tokenize.word_tokenize,
        words=tokenize.RegexpTokenizer(r"\w+").tokenize,
        first_tag=_tagger(),
        syllables=_syllables(),
    )


def fault_of(name: str, arguments: Mapping[str, Any], *, tools: Tools) -> str | None:
    """Why an instruction cannot be checked as it is; None if it can."""
    check = CHECKS[name]
    missing = [need for need in check.needs if arguments.get(need) is None]
    if missing:
        return f"{name} lacks {', '.join(missing)}, for which the official check would draw random values"
    unknown = [given for given in arguments if given not in check.needs]
    if unknown:
        return f"{name} takes no {', '.join(unknown)}; it takes {', '.join(check.needs) or 'no arguments'}"
    if check.tool is not None and getattr(tools, check.tool) is None:
        return f"{name} {_REMEDIES[check.tool]}"
    return None


def follows(name: str, arguments: Mapping[str, Any], *, text: str, tools: Tools) -> bool:
    """Whether a text follows an instruction; a blank one follows none."""
    return bool(text.strip()) and CHECKS[name].follows(text, Given(tools=tools, asked=arguments))


def follows_loosely(name: str, arguments: Mapping[str, Any], *, response: str, tools: Tools) -> bool:
    """The same of the response without its first line, its last one, or both, each also without asterisks."""
    return any(follows(name, arguments, text=text, tools=tools) for text in variants(response))


def variants(response: str) -> Sequence[str]:
    """The texts of which one has to follow, in the official order."""
    lines = response.split("\n")
    cut = ["\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1])]
    plain = [text.replace("*", "") for text in (response, *cut)]
    return [response, plain[0], *cut, *plain[1:]]


def _tagger() -> Callable[[list[str]], str] | None:
    tag: Any = importlib.import_module("nltk.tag")
    try:
        tag.pos_tag(["a"])
    except LookupError:
        return None
    return lambda tokens: str(tag.pos_tag(tokens)[0][1])


def _syllables() -> Callable[[str], int] | None:
    try:
        count: Callable[[str], int] = importlib.import_module("syllapy").count
    except ImportError:
        return None
    return count
