"""`orz-rl curate` on 39,808 published rows: time, fates, overlap with benchmarks, and MinHash against brute force.

All stages that need no model, decontaminated against every benchmark. Results: results/curation.json.
"""

from __future__ import annotations

import json
import random
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from _record import data_folder, keep

from orz_rl.curation.pipeline import curate
from orz_rl.curation.rows import Row
from orz_rl.curation.settings import NearSettings, checked
from orz_rl.curation.stages.near import similar_pairs, written
from orz_rl.curation.texts import match_key, tokens, tokens_of

_SAMPLE = 3000


def main() -> None:
    data = data_folder()
    deepscaler = data / "train" / "deepscaler_by_difficulty.jsonl"
    result = {
        "deepscaler": curated(deepscaler, data / "eval"),
        "math_train": curated(data / "train" / "math_train_7474.jsonl", data / "eval"),
        "near_duplicates_against_brute_force": near_quality(deepscaler),
    }
    keep("curation", result)


def curated(source: Path, benchmarks: Path) -> dict[str, Any]:
    """Time by stage, fates, and hits by benchmark and method."""
    with tempfile.TemporaryDirectory() as folder:
        settings = checked({"sources": [{"path": str(source)}], "language": {"keep": "english"}}, where="curation")
        start, cpu = time.perf_counter(), _cpu_seconds()
        notices: list[tuple[str, float]] = []
        done = curate(
            settings,
            out=Path(folder),
            folders=[benchmarks],
            notice=lambda text: notices.append((text, time.perf_counter())),
        )
        end, used = time.perf_counter(), _cpu_seconds() - cpu
        pairs = pq.read_table(Path(folder) / "pairs.parquet").to_pylist()
    hits = Counter(
        f"{pair['other_source']}, {pair['method']}, {pair['verdict']}"
        for pair in pairs
        if pair["stage"] == "decontaminate"
    )
    times = [start, *(at for _, at in notices)]
    return {
        "rows": done.num_rows,
        "kept": done.num_kept,
        "seconds": round(end - start, 1),
        "cpu_seconds": round(used, 1),
        "stages": [f"{text} ({at - times[n]:.1f} s)" for n, (text, at) in enumerate(notices)],
        "overlap_with_benchmarks": dict(sorted(hits.items())),
        "near_duplicates": dict(sorted(Counter(pair["verdict"] for pair in pairs if pair["stage"] == "near").items())),
    }


def near_quality(source: Path) -> dict[str, Any]:
    """Recall and precision of the pairs that MinHash finds, in a random sample and in alphabetical neighbours."""
    questions = [json.loads(line)["problem"] for line in source.read_text(encoding="utf-8").splitlines()]
    questions = list({match_key(tokens(question)): question for question in questions}.values())
    by_text = sorted(questions, key=lambda question: " ".join(tokens_of(question)))
    rng = random.Random(0)
    first = rng.randrange(len(by_text) - _SAMPLE)
    samples = {"random": rng.sample(questions, _SAMPLE), "neighbours": by_text[first : first + _SAMPLE]}
    return {name: compared(sample) for name, sample in samples.items()}


def compared(questions: Sequence[str]) -> dict[str, Any]:
    """Pairs of a sample at three thresholds."""
    settings = NearSettings()
    sets = [_ngrams(tokens_of(question), settings.ngram) for question in questions]
    truth = brute_force(sets, threshold=0.6)
    rows = [
        Row(number=n, id=str(n), source="", place="", question=question, answer="")
        for n, question in enumerate(questions)
    ]
    found = {}
    for threshold in (0.6, settings.similarity, 0.8):
        with tempfile.TemporaryDirectory() as folder:
            index = written([rows], Path(folder), n=settings.ngram)
            pairs = {(later, earlier) for later, earlier, _ in similar_pairs(index, threshold=threshold)}
        wanted = {pair for pair, similarity in truth.items() if similarity >= threshold}
        found[f"similarity {threshold}"] = {
            "pairs": len(wanted),
            "found": len(pairs),
            "recall": round(len(pairs & wanted) / max(1, len(wanted)), 4),
            "precision": round(len(pairs & wanted) / max(1, len(pairs)), 4),
        }
    return found


def brute_force(sets: Sequence[frozenset[str]], *, threshold: float) -> dict[tuple[int, int], float]:
    """(later, earlier) -> Jaccard similarity of all pairs: shared n-grams are counted over an inverted index."""
    owners: dict[str, list[int]] = defaultdict(list)
    found = {}
    for number, grams in enumerate(sets):
        shared: Counter[int] = Counter()
        for gram in grams:
            shared.update(owners[gram])
            owners[gram].append(number)
        for other, count in shared.items():
            similarity = count / (len(grams) + len(sets[other]) - count)
            if similarity >= threshold:
                found[number, other] = similarity
    return found


def _ngrams(words: Sequence[str], n: int) -> frozenset[str]:
    return frozenset(" ".join(words[at : at + n]) for at in range(max(1, len(words) - n + 1)))


def _cpu_seconds() -> float:
    """Of this process and of those that have ended."""
    used: Iterable[resource.struct_rusage] = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
