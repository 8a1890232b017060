"""The behaviours that are shipped. Each is a heuristic: hold it against tags before you trust its counts."""

from __future__ import annotations

import re

from analysis.behaviours.behaviour import Behaviour, Response
from analysis.texts.language import count_letters, mixes_scripts
from analysis.texts.lexicons import LEXICONS
from analysis.texts.reasoning import calculates, num_reasoning_chars, thought_of
from analysis.texts.reflection import counted_matches
from analysis.texts.repetition import find_loop, repeated_ngrams

_LEXICON = LEXICONS["orz-paper"]
_LEAST_REASONING = 20
"""Characters of a thought beside tags and white space."""
_MOST_REPEATED = 0.5
_LEAST_WORDS = 60
_COPIED_WORDS = 8
_COPIED_SHARE = 0.8
_WORD = re.compile(r"\w+")
_PROMPT = "you must put your answer inside"
"""Of the prompt of Open-Reasoner-Zero."""


def _reflects(response: Response) -> bool:
    return bool(counted_matches(response.text, _LEXICON, question=response.question))


def _is_without_reasoning(response: Response) -> bool:
    thought = thought_of(response.text)
    return num_reasoning_chars(thought) < _LEAST_REASONING and not calculates(thought)


def _mixes_languages(response: Response) -> bool:
    return mixes_scripts(count_letters(response.text))


def _copies_prompt(response: Response) -> bool:
    """Most runs of words of a long question, or the whole of a short one."""
    if _PROMPT in response.text.lower():
        return True
    question = _WORD.findall((response.question or "").lower())
    text = " ".join(_WORD.findall(response.text.lower()))
    if len(question) < _COPIED_WORDS:
        return len(question) > 1 and f" {' '.join(question)} " in f" {text} "
    runs = [" ".join(question[at : at + _COPIED_WORDS]) for at in range(len(question) - _COPIED_WORDS + 1)]
    padded = f" {text} "
    return sum(f" {run} " in padded for run in runs) >= _COPIED_SHARE * len(runs)


def _repeats(response: Response) -> bool:
    if find_loop(response.text) is not None:
        return True
    repeated = repeated_ngrams(response.text)
    return repeated is not None and repeated > _MOST_REPEATED and len(response.text.split()) >= _LEAST_WORDS


REFLECTION = Behaviour(
    name="reflection",
    what="a reflection word of Open-Reasoner-Zero's paper, outside code and quotations of the question",
    program=_reflects,
)
GUESSING = Behaviour(
    name="guessing",
    what="it says that it guesses",
    pattern=(
        r"\b(?:I(?:['’]ll| will| would|['’]d| can only| have to| must)?(?: just)? guess\b|my (?:best |first )?guess\b|"
        r"(?:an?|the) (?:lucky|wild|random|educated|rough|first|best|initial) guess\b|"
        r"let(?:['’]s| me| us)(?: just)? guess\b|(?:just|only|by|am|are|be|pure) guess(?:ing|work)\b|"
        r"(?:I|we|let me|let['’]s|let us|just)(?:['’]ll| will| can| could)?(?: just)? "
        r"(?:(?:pick|choose|select|answer)\b[^.\n]{0,30}\b(?:at random|randomly)\b|"
        r"randomly (?:pick|choose|select|guess)\b))"
    ),
)
NO_REASONING = Behaviour(
    name="no-reasoning",
    what=f"an answer without reasoning: a thought below {_LEAST_REASONING} characters that calculates nothing",
    program=_is_without_reasoning,
)
LANGUAGE_MIXING = Behaviour(
    name="language-mixing",
    what="three letters or more of two scripts, not counting Greek",
    program=_mixes_languages,
)
COPIED_PROMPT = Behaviour(
    name="copied-prompt",
    what=f"80 % of the question's runs of {_COPIED_WORDS} words, a shorter question whole, or the instructions",
    program=_copies_prompt,
)
REPETITION = Behaviour(
    name="repetition",
    what="degenerate repetition: it ends in a loop, or more than half of its word 4-grams were there before",
    program=_repeats,
)
