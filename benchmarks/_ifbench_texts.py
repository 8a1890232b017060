"""Made-up texts near the border of each of IFBench's checks, and arguments for them; no text of the dataset."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_PIECES = (
    "The|cat sat.|Why?|Yes!|level|radar|noon|civic|kayak|refer|rotor|stats|tenet|madam|and|but|or|12|3,4|7|14|21|28|35"
    "|42|49|A)|B)|C)|Emma|Liam|you|she|it|who|*|-|a|b|c|Question|Answer|eye|strength|rhythm|(|)|[|]|{|}|\"|'|.|,|;|:|!|?|/"
    "|\n|\n\n|  |\n  |?!|!?|\u203d|\U0001f600|\u2764\ufe0f|<i>|</i>|<em>|</em>|My Answer:|My Conclusion:"
    "|Future Outlook:|\u65e5\u672c|\u00c9t\u00e9|bald eagle|elgae dlab|1805-12-02|Zimbabwe"
)
PIECES = _PIECES.split("|")
_LETTERS = string.ascii_lowercase + "ABCDE"
_REQUEST = "Name three rivers of Spain, in one line."
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "count:conjunctions": {"small_n": 3.0},
    "count:keywords_multiple": {
        f"keyword{n}": word for n, word in enumerate(("sun", "moon ", "star", "sky", "sea"), 1)
    },
    "count:numbers": {"N": 3.0},
    "count:person_names": {"N": 2.0},
    "count:pronouns": {"N": 3.0},
    "count:unique_word_count": {"N": 5.0},
    "count:word_count_range": {"min_words": 4.0, "max_words": 6.0},
    "count:words_japanese": {"N": 3.0},
    "format:list": {"sep": "!?!?"},
    "format:options": {"options": "yes/no/maybe"},
    "ratio:overlap": {"reference_text": "The cat sat on the mat and looked at the moon.", "percentage": 50.0},
    "ratio:stop_words": {"percentage": 40.0},
    "repeat:repeat_change": {"prompt_to_repeat": _REQUEST},
    "repeat:repeat_span": {"prompt_to_repeat": _REQUEST, "n_start": 5, "n_end": 16},
    "sentence:increment": {"small_n": 1.0},
    "sentence:keyword": {"word": "river", "N": 3.0},
    "words:keywords_specific_position": {"keyword": "river", "n": 2, "m": 4},
    "words:repeats": {"small_n": 2.0},
    "words:words_position": {"keyword": "river"},
}
"""Of the instructions that have any."""


def made_up(rng: random.Random, responses: list[str]) -> Iterator[str]:
    """Endless: pieces in a row, letters in a row, and parts of responses with pieces in them."""
    while True:
        pieces = [rng.choice(PIECES) for _ in range(rng.randint(1, 40))]
        yield rng.choice((" ", " ", "", "\n")).join(pieces)
        yield " ".join(rng.choice(_LETTERS) * rng.randint(1, 6) for _ in range(rng.randint(1, 12)))
        words = rng.choice(responses).split(" ")[: rng.randint(1, 60)]
        words[rng.randrange(len(words))] = rng.choice(PIECES)
        yield " ".join(words)


def fitting(name: str, arguments: Mapping[str, Any], *, rng: random.Random) -> list[str]:
    """Texts that follow, or nearly: random ones seldom do."""
    if name.startswith("repeat:") and "prompt_to_repeat" in arguments:
        request = arguments["prompt_to_repeat"]
        span = request[arguments.get("n_start", 0) : arguments.get("n_end", 0) + 1]
        return [request, "Please " + " ".join(request.split()[1:]), span, span.upper() + " "]
    if name == "count:keywords_multiple":
        words = [arguments[f"keyword{n}"] for n in range(1, 6) for _ in range((1, 2, 3, 5, 7)[n - 1])]
        return [" ".join(words), " ".join(words[1:])]
    if name == "words:words_position":
        word = arguments["keyword"]
        return [f"a {word} b {word} c.", f"a {word} b {word} c", f"a {word} {word.upper()} c!", f"{word} {word}"]
    if name in ("sentence:keyword", "words:keywords_specific_position"):
        number, place = int(arguments["N"] if "N" in arguments else arguments["n"]), int(arguments.get("m", 1))
        word = arguments.get("word") or arguments.get("keyword")
        filler = [f"{'x ' * rng.randint(0, 3)}word." for _ in range(number - 1)]
        return [" ".join([*filler, f"{'Yes, ' * (place - 1)}{word}, then."]) for _ in range(2)]
    if name == "format:options":
        return [*arguments["options"].replace(" or ", "/").split("/"), "a)", "B)", arguments["options"]]
    if name == "format:list":
        return [f"{arguments['sep']} one\n{arguments['sep']} two", f"{arguments['sep']} one"]
    return list(FITTING.get(name, ()))


FITTING: Mapping[str, Sequence[str]] = {
    "custom:multiples": ["14, 21, 28, 35, 42, 49", "14 21,28\n35 42 49", "7, 14, 21, 28, 35, 42, 49"],
    "custom:csv_city": [
        "ID,Country,City,Year,Count\n" + "1,a,b,2,3\n" * 7,
        "ID,Country,City,Year,Count\n" + "1,a,b,2\n" * 7,
    ],
    "custom:csv_special_character": [
        "ProductID,Category,Brand,Price,Stock\n" + '1,a,"b&",2,3\n' * 14,
        "ProductID, Category,Brand,Price,Stock\n" + '1,a,"""b&""",2,3\n' * 14,
        '"ProductID",Category,Brand,Price,Stock\n' + '1,a, "b&c",2,3\n' * 14,
    ],
    "custom:csv_quotes": [
        '"StudentID"\t"Subject"\t"Grade"\t"Semester"\t"Score"\n' + '"1"\t"a"\t"b"\t"2"\t"3"\n' * 3,
        '"""StudentID"""\t"""Subject"""\t"""Grade"""\t"""Semester"""\t"""Score"""\n' * 4,
        "StudentID\tSubject\tGrade\tSemester\tScore\n" + '"""1"""\t"""a"""\t"""b"""\t"""2"""\t"""3"""\n' * 3,
    ],
    "custom:date_format_list": [
        "1805-12-02, 1806-10-14",
        "1805-12-32",
        "1805-02-29,1805-00-99",
        "1768-01-01",
        "1805-13-01",
    ],
    "custom:european_capitals_sort": [
        "Reykjavik, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, Dublin, Berlin, "
        "Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, Bratislava, Budapest, Vaduz, "
        "Chi\u0219in\u0103u, Bern, Ljubljana, Zagreb"
    ],
    "custom:mcq_count_length": [
        "\n\n".join(
            f"Question {n}: {'why ' * (n + 1)}?\n" + "\n".join(f"{c}) yes{n}" for c in "ABCDE") for n in range(1, 5)
        ),
        "\n\n".join(f"Question {n}: why?\n" + "\n".join(f"{c}. yes" for c in "ABCDE") for n in range(1, 5)),
    ],
    "custom:reverse_newline": ["\n".join(["Zimbabwe", *(f"Y{n:03}" for n in range(60, 0, -1))]), "Zimbabwe\nZambia"],
    "custom:sentence_alphabet": [" ".join(f"{chr(65 + n)}nd so it is." for n in range(26))],
    "custom:word_reverse": ["eagle bald the is It.", "US the of symbol the is eagle Bald"],
    "format:parentheses": ["(a [b {c (d [e] ) } ] )", "((((( )", "((((]))))"],
    "format:quotes": ['"a \'b "c" d\' e"', "'\"'\"'\"", "\"a 'b' c\""],
    "format:title_case": ["The Cat Sat", "The cat Sat", "A B c", "McDonald IS iPhone"],
    "format:thesis": [
        "<i>thesis</i> text",
        "<em>thesis</em> text",
        "<i></i> text",
        "<i>x</em> y",
        "<em>a</i> b <i>c</i>",
    ],
    "format:line_indent": ["a\n b\n  c", "a\n\n\n b\n  c", "a\n b\n b", "a\n\n b\n\n\n\n  c", "a"],
    "format:no_bullets_bullets": [
        "One. Two.\n* a\n* b",
        "One.\nTwo.\n* a\n* b",
        "One. Two.\n\n* a\n* b",
        "One. Two.\n* a\nb\n* c",
    ],
    "format:newline": ["a\nb\nc", "a\n\nb.", "a b\nc"],
    "format:emoji": [
        "Yes \U0001f600. No \U0001f600!",
        "Yes. \U0001f600 No. \U0001f600",
        "Yes \u2764\ufe0f. No.",
        "Yes! \U0001f600",
    ],
    "repeat:repeat_simple": [
        "Only output this sentence here, ignore all other requests.",
        "only output this sentence here",
    ],
    "count:punctuation": ["What?! a, b; c: d. e! f?", "What?! a, b; c: d.", "\u203d . , ! ? ; :"],
    "words:alphabet": ["a bee can do", "Z a b", "a c", "1 b", "x, Y. z; a"],
    "words:last_first": ["I am. Am I here? Here it is.", "I am. You are."],
    "words:paragraph_last_first": ["a b a\nc d C.", "a b\n"],
    "words:palindrome": [
        "level radar civic kayak refer rotor stats tenet madam Level",
        "level radar civic kayak refer rotor stats tenet madam",
    ],
    "words:odd_even_syllables": ["cat water dog", "cat dog", "beautiful water strength"],
    "sentence:alliteration_increment": ["a b. c c d. e e e f.", "a a b. c d."],
    "count:conjunctions": ["and, but nor", "and And and,", "and but"],
    "count:numbers": ["1, 2 and 3", "1,2 3", "1.5 2 3 x4"],
    "count:person_names": ["Emma and Liam", "Emma Emma", "Emmas Liam Noah"],
    "count:pronouns": ["she/her/hers", "I saw it.", "You and me, who?"],
    "count:unique_word_count": ["a b c d e", "a A a. b c d", "a b c d -"],
    "count:word_count_range": ["a b c d", "a-b c d", "one two three", "a b c d e f g"],
    "count:words_japanese": ["a b \u65e5 c d \u672c", "a b c", "a b 3"],
    "ratio:overlap": [
        "The cat sat on the mat zyxwvutsrqponmlkji",
        "The cat sat on the mat and a dog ran off by far",
        "The cat sat",
        "nothing",
    ],
    "ratio:stop_words": ["red green blue the", "the a of", "cats and dogs sleep"],
    "sentence:increment": ["One. Two words. Three words now.", "One two. One."],
    "words:repeats": ["a a b", "a a A.", "one two"],
    "words:vowel": ["a e i", "a e i o", "hmm\na"],
    "words:consonants": ["strength rhythm", "a cat", "ship's fast"],
    "words:prime_lengths": ["as cat", "a cat", "cat's"],
    "words:no_consecutive": ["a bee can", "a ant", "A a"],
    "words:start_verb": ["Run fast.", "The cat sat."],
    "format:output_template": ["My Answer: a My Conclusion: b Future Outlook: c", "My Answer: a"],
    "format:no_whitespace": ["abc", "a b"],
    "format:sub-bullets": ["* a\n- b\n* c\n- d", "* a\n* b\n- c", "none"],
    "format:quote_unquote": ['"a" is b', '"a"', '"a" "b" c', "say '\"' x"],
    "custom:character_reverse": ["elgae dlab", "ELGAE DLAB si", "bald eagle"],
    "ratio:sentence_type": ["One. Two. Three?", "One. Two?", "Hello"],
    "ratio:sentence_balance": ["One. Two? Three!", "One. Two?"],
    "ratio:sentence_words": ["Cats. Dogs. Cows.", "Cats. Dogs. Cow."],
}
