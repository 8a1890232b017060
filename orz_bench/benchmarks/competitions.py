"""Mathematics of 2025 and 2026 with short final answers: MathArena's competitions, BeyondAIME and OlymMATH.

Where a gold has several answers, separated by commas or given as a list, they are graded in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any

from orz_bench.benchmarks.benchmark import Benchmark, HubDataset
from orz_bench.benchmarks.dates import PublicDates, collected, on
from orz_bench.benchmarks.rows import ANSWER, QUESTION, answers_of, id_of, question_of, require_columns, whole_number
from orz_bench.records.rollout import Problem

_PARQUET = ("data/train-00000-of-00001.parquet",)
_LICENCE = "CC BY-NC-SA 4.0 (MathArena); the problems are their competition's own"
_CONFIG = "MathArena's configuration at e927660"


def parse_row(row: Mapping[str, Any], position: int, *, benchmark: str) -> Problem:
    """A row of MathArena's tables (`problem_idx`), of OlymMATH's (`unique_id`) or BeyondAIME's, or of JSON lines."""
    require_columns(row, (*QUESTION, "prompt"), ANSWER)
    gold = ", ".join(map(whole_number, answers_of(row)))
    types = row.get("problem_type")
    types = ", ".join(map(str, types)) if isinstance(types, list) else types
    extra = {"subject": row.get("subject"), "problem_type": types, "source": row.get("source")}
    number = row.get("problem_idx")
    return Problem(
        benchmark=benchmark,
        problem_id=id_of(row, position, benchmark=benchmark) if number is None else f"{benchmark}-{number}",
        question=question_of(row),
        gold=gold,
        kind="math",
        extra={key: value for key, value in extra.items() if value},
    )


def _competition(name: str, title: str, *, revision: str, num_problems: int, dates: PublicDates) -> Benchmark:
    """One of MathArena: its dataset is named by the competition, its month and its year."""
    dataset = f"{name[:-2]}_20{name[-2:]}"
    return Benchmark(
        name=name,
        title=title,
        aliases=(dataset,),
        kind="math",
        num_problems=num_problems,
        dates=dates,
        local_names=(dataset, name),
        hub=HubDataset(repo=f"MathArena/{dataset}", revision=revision, files=_PARQUET),
        licence=_LICENCE,
        parse_row=partial(parse_row, benchmark=name),
        breakdowns=("problem_type",),
    )


def _olymmath(language: str, level: str) -> Benchmark:
    name = f"olymmath_{language}_{level}"
    return Benchmark(
        name=name,
        title=f"OlymMATH {language.upper()} {level}",
        aliases=(f"olymmath-{language}-{level}",),
        kind="math",
        num_problems=100,
        dates=collected(date(2025, 3, 27), "OlymMATH (2503.21380), from printed material"),
        local_names=(name, f"OlymMATH-{language.upper()}-{level.upper()}"),
        hub=HubDataset(
            repo="RUC-AIBOX/OlymMATH",
            revision="2c6532ea2cf929ac1c421532af5951553eaee727",
            files=(f"data/OlymMATH-{language.upper()}-{level.upper()}.jsonl",),
        ),
        licence="MIT",
        parse_row=partial(parse_row, benchmark=name),
        breakdowns=("subject",),
    )


AIME26 = _competition(
    "aime26",
    "AIME 2026",
    revision="d2de22f3c656b4f56cf8981212186377d1e23bc3",
    num_problems=30,
    dates=on(date(2026, 2, 6), _CONFIG),
)
HMMT_FEB25 = _competition(
    "hmmt_feb25",
    "HMMT February 2025",
    revision="6fdc4277120810ff75aa22d2d5489b91f7a262a1",
    num_problems=30,
    dates=on(date(2025, 2, 15), _CONFIG),
)
HMMT_NOV25 = _competition(
    "hmmt_nov25",
    "HMMT November 2025",
    revision="118dbfb45c4c9467c672268ed55166642897aa46",
    num_problems=30,
    dates=on(date(2025, 11, 8), _CONFIG),
)
HMMT_FEB26 = _competition(
    "hmmt_feb26",
    "HMMT February 2026",
    revision="02fba4f74d8e68e73e66a02d540fd979c05c274c",
    num_problems=33,
    dates=on(date(2026, 2, 14), _CONFIG),
)
BRUMO25 = _competition(
    "brumo25",
    "BRUMO 2025",
    revision="6de9bc0987f5710c6376ee980e1483dbeb55cfda",
    num_problems=30,
    dates=on(date(2025, 4, 8), _CONFIG),
)
CMIMC25 = _competition(
    "cmimc25",
    "CMIMC 2025",
    revision="8f27517ce4ad1d05e023c0e7eca4344754ba2a04",
    num_problems=40,
    dates=on(date(2025, 3, 15), "day of the competition; MathArena's configuration has 2025-07-29"),
)
SMT25 = _competition(
    "smt25",
    "SMT 2025",
    revision="d8e99d83f1583842f46d4953cd960eea5d887e45",
    num_problems=53,
    dates=on(date(2025, 4, 1), "announced for April 2025, without a day; MathArena's configuration has 2025-12-05"),
)

BEYOND_AIME = Benchmark(
    name="beyond_aime",
    title="BeyondAIME",
    aliases=("beyondaime", "beyond-aime"),
    kind="math",
    num_problems=100,
    dates=on(date(2025, 4, 10), "announced in Seed1.5-Thinking (2504.13914); the dataset's own day is not confirmed"),
    local_names=("beyond_aime", "beyondaime", "BeyondAIME"),
    hub=HubDataset(
        repo="ByteDance-Seed/BeyondAIME",
        revision="c705198ae1043810b1e1693bd879250b51a7a523",
        files=("data/test.parquet",),
    ),
    licence="CC0-1.0",
    parse_row=partial(parse_row, benchmark="beyond_aime"),
)

APEX_SHORTLIST = Benchmark(
    name="apex_shortlist",
    title="MathArena Apex shortlist",
    aliases=("apex-shortlist",),
    kind="math",
    num_problems=47,
    dates=on(date(2025, 2, 6), f"first competition that its problems are from, and {_CONFIG}", last=date(2025, 8, 18)),
    local_names=("apex_shortlist", "apex-shortlist"),
    hub=HubDataset(
        repo="MathArena/apex-shortlist", revision="f3efdf224ef665f129ddaae37699f6098c65781b", files=_PARQUET
    ),
    licence=_LICENCE,
    parse_row=partial(parse_row, benchmark="apex_shortlist"),
    notes=lambda _problems: [
        "five of the 47 problems are also in aime25, hmmt_feb25 and brumo25: a mean over these sets counts them twice"
    ],
)

OLYMMATH_EN_EASY = _olymmath("en", "easy")
OLYMMATH_EN_HARD = _olymmath("en", "hard")
OLYMMATH_ZH_EASY = _olymmath("zh", "easy")
OLYMMATH_ZH_HARD = _olymmath("zh", "hard")
