"""The form of a text: brackets, quotes, lines, lists, cases, templates. Quirks of the official checks are kept."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from itertools import pairwise

from orz_bench.grading.ifbench.texts import EDGES, Check, Given, bare

_CLOSING = {")": "(", "]": "[", "}": "{"}
_BRACKET_DEPTH, _QUOTE_DEPTH = 5, 3
_LETTERS_ASKED = re.compile(r"\W*[aA]\W*[bB]\W*[cC]\W*")
_AROUND_QUOTES = string.digits + string.punctuation.replace('"', "")
_TEMPLATE = ("My Answer:", "My Conclusion:", "Future Outlook:")


def _nested_brackets(text: str, _given: Given) -> bool:
    """A bracket that does not fit starts all over."""
    levels: list[str] = []
    deepest = 0
    for char in text:
        if char in "([{":
            levels.append(char)
            deepest = max(deepest, len(levels))
        elif char in _CLOSING and levels[-1:] == [_CLOSING[char]]:
            levels.pop()
            if deepest >= _BRACKET_DEPTH:
                return True
        elif char in _CLOSING:
            levels, deepest = [], 0
    return False


def _nested_quotes(text: str, _given: Given) -> bool:
    levels: list[str] = []
    deepest = 0
    for char in text:
        if levels and char == levels[-1]:
            levels.pop()
            if deepest - len(levels) >= _QUOTE_DEPTH:
                return True
        elif char in "\"'":
            levels.append(char)
            deepest = max(deepest, len(levels))
    return False


def _one_of_the_options(text: str, given: Given) -> bool:
    options: str = given.asked["options"]
    separator = next((one for one in ("/", "or") if one in options), ",")
    allowed = [option.strip() for option in options.split(separator)]
    if _LETTERS_ASKED.match(options):
        return text in allowed
    return text.strip(EDGES).lower() in [option.strip(EDGES).lower() for option in allowed]


def _word_a_line(text: str, _given: Given) -> bool:
    text = bare(text).strip()
    return len([line for line in text.split("\n") if line]) == len(text.split())


def _stairs(text: str, _given: Given) -> bool:
    """Of several blank lines in a row, officially every second one stays."""
    lines, place = text.split("\n"), 0
    while place < len(lines):
        if not lines[place].strip():
            lines.remove(lines[place])
        place += 1
    indents = [len(line) - len(line.lstrip(" ")) for line in lines]
    return all(one < other for one, other in pairwise(indents))


def _quotes_are_explained(text: str, _given: Given) -> bool:
    text = "".join(text.replace("'\"'", "").split())
    return '""' not in text and not text.strip(_AROUND_QUOTES).endswith('"')


def _listed(text: str, given: Given) -> bool:
    return text.count(given.asked["sep"]) >= 2


def _thesis(text: str, _given: Given) -> bool:
    """Opened by <i>, else by <em>; closed by the first </i> behind it, else by </em>; with text behind that."""
    start = next((at for tag in ("<i>", "<em>") if (at := text.find(tag)) >= 0), None)
    if start is None:
        return False
    text = text[start:]
    end = next((at for tag in ("</i>", "</em>") if (at := text.find(tag)) >= 0), None)
    return end is not None and bool(text[3:end].strip()) and bool(text[end + 4 :].strip())


def _sub_bullets(text: str, _given: Given) -> bool:
    return all("-" in bullet for bullet in text.split("*")[1:])


def _sentences_then_bullets(text: str, given: Given) -> bool:
    """A blank line ends the sentences; what is no bullet behind them fails."""
    num_sentences = num_bullets = 0
    are_over = False
    for line in map(str.strip, text.split("\n")):
        if line.startswith("*"):
            are_over = True
            num_bullets += 1
            if num_sentences < 2:
                return False
        elif are_over:
            return False
        else:
            found = given.tools.sentences(line)
            num_sentences += len(found)
            are_over = not found
    return num_bullets >= 2


def _title_case(text: str, given: Given) -> bool:
    return not any(_is_small(token) for token in given.tools.tokens(text) if token[0].isalpha())


def _is_small(token: str) -> bool:
    """A letter that is small, or a word that starts with one and goes on in one case."""
    rest = token[1:]
    return token[0].islower() and (not rest or rest.islower() or rest.isupper())


def _template(text: str, _given: Given) -> bool:
    return all(part in text for part in _TEMPLATE)


def _no_whitespace(text: str, _given: Given) -> bool:
    return not any(map(str.isspace, text))


CHECKS: Mapping[str, Check] = {
    "format:parentheses": Check(follows=_nested_brackets),
    "format:quotes": Check(follows=_nested_quotes),
    "format:options": Check(follows=_one_of_the_options, needs=("options",)),
    "format:newline": Check(follows=_word_a_line),
    "format:line_indent": Check(follows=_stairs),
    "format:quote_unquote": Check(follows=_quotes_are_explained),
    "format:list": Check(follows=_listed, needs=("sep",)),
    "format:thesis": Check(follows=_thesis),
    "format:sub-bullets": Check(follows=_sub_bullets),
    "format:no_bullets_bullets": Check(follows=_sentences_then_bullets),
    "format:title_case": Check(follows=_title_case),
    "format:output_template": Check(follows=_template),
    "format:no_whitespace": Check(follows=_no_whitespace),
}
