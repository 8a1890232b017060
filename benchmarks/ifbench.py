"""IFBench's checks against the official ones: `python benchmarks/ifbench.py CHECKOUT [NUM_TEXTS]`

CHECKOUT is a clone of github.com/allenai/IFBench, whose packages emoji and syllapy have to be importable; without
NLTK's tagger data the check for verbs is left out. Asked are the responses that come with it, each under its own
instructions and under all others, and made-up texts near the border of each check. Where the official code ends with an
error, ours says that the instruction is not followed. With `cases` for NUM_TEXTS, the official verdicts on some made-up
texts are written to tests/corpora/ifbench_cases.json.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from _ifbench_texts import ARGUMENTS, fitting, made_up
from _record import HERE, keep

from orz_bench.grading.ifbench.checks import CHECKS, fault_of, follows, load_tools, variants
from orz_bench.grading.ifbench.texts import STOP_WORDS, Tools
from orz_bench.grading.instructions import provide_sentences

NUM_TEXTS = 2000
Asked = dict[str, list[Mapping[str, Any]]]
"""Instruction -> the arguments with which it occurs."""


def official_checks(checkout: Path) -> Mapping[str, Any]:
    """The official classes by instruction, with NLTK's data as ours are given them."""
    provide_sentences()
    nltk: Any = importlib.import_module("nltk")
    nltk.download = lambda *_, **__: False
    sys.path.insert(0, str(checkout))
    registry: Any = importlib.import_module("ifbench.instructions_registry")
    util: Any = importlib.import_module("ifbench.instructions_util")

    def count_stop_words(text: str) -> int:
        tokens = nltk.tokenize.RegexpTokenizer(r"\w+").tokenize(text)
        return sum(token.lower() in STOP_WORDS for token in tokens)

    util.count_stopwords = count_stop_words
    found: Mapping[str, Any] = registry.INSTRUCTION_DICT
    return found


def official(checks: Mapping[str, Any], name: str, *, arguments: Mapping[str, Any]) -> Callable[[str], bool | None]:
    """Whether a text follows, or None where the check ends with an error."""
    check = checks[name](name)
    check.build_description(**arguments)

    def decide(text: str) -> bool | None:
        try:
            return bool(text.strip() and check.check_following(text))
        except Exception:  # any error of the official code is the same to us
            return None

    return decide


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def compare(
    checks: Mapping[str, Any], asked: Asked, *, texts: list[str], tools: Tools, rng: random.Random
) -> dict[str, Counter[str]]:
    """By instruction: texts that follow by both, by neither, by one alone, and official errors."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    drawn = [(name, one) for name, every in asked.items() for one in rng.sample(every, min(len(every), 2))]
    for name, arguments in drawn:
        if fault_of(name, arguments, tools=tools):
            found[name]["left out"] += 1
            continue
        decide = official(checks, name, arguments=arguments)
        for text in (*fitting(name, arguments, rng=rng), *texts):
            theirs, ours = decide(text), follows(name, arguments, text=text, tools=tools)
            kind = _kind(theirs=theirs, ours=ours)
            found[name][kind] += 1
            if kind == "differ":
                print(f"differs: {name} {dict(arguments)}: {theirs}, ours {ours}: {text[:200]!r}", file=sys.stderr)
    return found


def _kind(*, theirs: bool | None, ours: bool) -> str:
    if theirs is None:
        return "differ" if ours else "official error, ours no"
    return "differ" if theirs != ours else "both" if ours else "neither"


def shipped(checkout: Path, *, tools: Tools) -> Counter[str]:
    """The verdicts that come with the checkout, strict and loose, on the responses that come with it."""
    responses = {row["prompt"]: row["response"] for row in rows_of(checkout / "data" / "sample_output.jsonl")}
    arguments = {row["prompt"]: row["kwargs"] for row in rows_of(checkout / "data" / "IFBench_test.jsonl")}
    levels = {
        level: [
            (name, _without_nulls(given), theirs, responses[row["prompt"]])
            for row in rows_of(checkout / "eval" / f"eval_results_{level}.jsonl")
            for name, given, theirs in zip(
                row["instruction_id_list"],
                arguments.get(row["prompt"], []),
                row["follow_instruction_list"],
                strict=False,
            )
        ]
        for level in ("strict", "loose")
    }
    found: Counter[str] = Counter()
    for level, name, given, theirs, response in ((level, *one) for level, every in levels.items() for one in every):
        if fault_of(name, given, tools=tools):
            found[f"{level}, left out"] += 1
            continue
        texts = variants(response) if level == "loose" else [response]
        ours = any(follows(name, given, text=text, tools=tools) for text in texts)
        found[f"{level}, {'equal' if ours == theirs else 'differ'}"] += 1
        if ours != theirs:
            print(f"differs from what is shipped, {level}: {name}: {theirs}", file=sys.stderr)
    return found


def _without_nulls(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def write_cases(checks: Mapping[str, Any]) -> None:
    """For each instruction up to four texts that follow and four that do not, by the official verdict."""
    rng, cases = random.Random(31), []
    for name in sorted(CHECKS):
        arguments = ARGUMENTS.get(name, {})
        decide, source, kept = (
            official(checks, name, arguments=arguments),
            made_up(rng, ["One. Two? Three!"]),
            Counter[bool](),
        )
        texts = dict.fromkeys([*fitting(name, arguments, rng=rng), *(next(source) for _ in range(60))])
        for text in texts:
            verdict = decide(text)
            if verdict is not None and kept[verdict] < 4:
                kept[verdict] += 1
                cases.append({"id": name, "arguments": arguments, "text": text, "follows": verdict})
        print(name, dict(kept))
    lines = ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases)
    (HERE.parent / "tests" / "corpora" / "ifbench_cases.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main() -> None:
    checkout, wanted = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else str(NUM_TEXTS)
    checks, tools, rng = official_checks(checkout), load_tools(), random.Random(30)
    if wanted == "cases":
        write_cases(checks)
        return
    num_texts = int(wanted)
    asked: Asked = defaultdict(list)
    for row in rows_of(checkout / "data" / "IFBench_test.jsonl"):
        for name, given in zip(row["instruction_id_list"], row["kwargs"], strict=True):
            asked[name].append(_without_nulls(given))
    assert set(asked) == set(CHECKS), set(asked) ^ set(CHECKS)
    responses = [row["response"] for row in rows_of(checkout / "data" / "sample_output.jsonl")]
    source = made_up(rng, responses)
    texts = [*responses, *(next(source) for _ in range(num_texts))]
    found = compare(checks, asked, texts=texts, tools=tools, rng=rng)
    total: Counter[str] = sum(found.values(), Counter())
    kept = {
        "texts": len(texts),
        "verdicts": dict(total),
        "by_instruction": {name: dict(found[name]) for name in sorted(found)},
    }
    print({"verdicts": dict(total), "shipped": dict(shipped(checkout, tools=tools))})
    if num_texts >= NUM_TEXTS:
        keep("ifbench", kept | {"shipped_verdicts": dict(shipped(checkout, tools=tools))})
    else:
        print([name for name, one in found.items() if not one["both"]], "followed by no text")


if __name__ == "__main__":
    main()
