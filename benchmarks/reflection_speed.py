"""Reflections counted in 100,000 responses of 2,000 characters, and the repetition score of 32,000, one process.

The peers are plain code: `re.findall` for each pattern (with re.IGNORECASE where the lexicon ignores case), and a
suffix array by sorting slices with Kasai's algorithm in Python. They run on fewer responses and are scaled; the counts
agree. The texts are real responses, cut into pieces of equal length.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from _record import data_folder, keep

from analysis.texts.features import response_features
from analysis.texts.lexicons import LEXICONS, Lexicon, get_lexicon
from analysis.texts.reflection import find_reflections, reflection_features
from orz_bench.extraction.responses import repetition_scores

RESPONSES, CHARS, BATCH, PEER_RESPONSES, FEATURE_RESPONSES = 100_000, 2_000, 5_000, 5_000, 5_000
LONG, REPEATS = 32_000, 5


def main() -> None:
    texts = _texts()
    long = "".join(texts[:20])[:LONG]
    keep(
        "reflection_speed",
        {
            "responses": RESPONSES,
            "characters_each": CHARS,
            "counting": {name: _counting(texts, lexicon) for name, lexicon in LEXICONS.items()},
            "repetition_of_32k_characters": {
                "real text": _repetition(long),
                "one sentence over and over": _repetition(("wait, let me check. " * LONG)[:LONG]),
                "one character": _repetition("a" * LONG),
            },
            "all_features_cpu_s_per_100k": _all_features(texts),
        },
    )


def _texts() -> list[str]:
    """Distinct texts of equal length, from real responses."""
    path = data_folder() / "rollouts" / "orz_fork_eval_math500.jsonl"
    responses = [json.loads(line)["raw_response"] for line in path.read_text(encoding="utf-8").split("\n") if line]
    whole = "\n".join(responses)
    pieces = [whole[start : start + CHARS - 8] for start in range(0, len(whole) - CHARS, CHARS)]
    return [f"{pieces[number % len(pieces)]}{number:8d}" for number in range(RESPONSES)]


def _counting(texts: Sequence[str], lexicon: Lexicon) -> dict[str, Any]:
    flags = re.IGNORECASE if lexicon.ignores_case else 0
    edge = r"\b" if lexicon.is_word_bounded else ""
    patterns = [re.compile(edge + pattern + edge, flags) for pattern in lexicon.patterns.values()]
    ours: list[int] = []
    started, start = time.perf_counter(), time.process_time()
    for first in range(0, len(texts), BATCH):
        batch = pd.DataFrame({"completion": texts[first : first + BATCH]})
        found = find_reflections(batch, lexicon)
        ours += reflection_features(batch, lexicon, found=found)["reflections_raw"].tolist()
    cpu, wall = time.process_time() - start, time.perf_counter() - started
    start = time.process_time()
    plain = [sum(len(pattern.findall(text)) for pattern in patterns) for text in texts[:PEER_RESPONSES]]
    peer = (time.process_time() - start) * RESPONSES / PEER_RESPONSES
    if not lexicon.is_word_bounded:  # its patterns overlap, and an overlap counts once
        assert ours[:PEER_RESPONSES] == plain
    return {
        "patterns": len(patterns),
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "plain_findall_cpu_s": round(peer, 2),
        "found": sum(ours),
    }


def _repetition(text: str) -> dict[str, float]:
    (score,) = repetition_scores([text])
    slow_s, slow = _timed(lambda: _slow_score(text), repeats=1)
    assert abs(slow - score) < 1e-9
    fast_s, _ = _timed(lambda: repetition_scores([text])[0], repeats=REPEATS)
    return {"ms": round(1000 * fast_s, 2), "plain_python_ms": round(1000 * slow_s), "score": round(score, 6)}


def _timed(function: Callable[[], float], *, repeats: int) -> tuple[float, float]:
    """(median CPU seconds, result)."""
    times, result = [], 0.0
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        times.append(time.process_time() - start)
    return sorted(times)[repeats // 2], result


def _slow_score(text: str) -> float:
    n = len(text)
    order = sorted(range(n), key=lambda start: text[start:])
    rank = [0] * n
    for place, start in enumerate(order):
        rank[start] = place
    total = common = 0
    for start in range(n):
        if rank[start] + 1 == n:
            common = 0
            continue
        other = order[rank[start] + 1]
        while text[start + common : start + common + 1] == text[other + common : other + common + 1] != "":
            common += 1
        total += common
        common = max(common - 1, 0)
    return 2 * total / (n * (n + 1))


def _all_features(texts: Sequence[str]) -> dict[str, float]:
    batch = pd.DataFrame({"completion": texts[:FEATURE_RESPONSES]})
    scale = RESPONSES / FEATURE_RESPONSES
    seconds = {}
    for name in ("orz-code", "extended"):
        start = time.process_time()
        response_features(batch, get_lexicon(name))
        seconds[name] = round((time.process_time() - start) * scale, 1)
    return seconds


if __name__ == "__main__":
    main()
