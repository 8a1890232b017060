"""The libraries that `orz-rl curate` could use, on published questions: MinHash, languages, embeddings.

ORZ_PEER_CURATION names a site-packages folder with datasketch and lingua-language-detector; without it ours alone are
measured. Results: results/curation_libraries.json.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from _record import data_folder, keep

from orz_bench.extraction.scripts import foreign_letters
from orz_rl.curation.pipeline import curate
from orz_rl.curation.settings import checked
from orz_rl.curation.stages.language import prose
from orz_rl.curation.stages.near import NUM_BANDS, ROWS_PER_BAND, band_keys
from orz_rl.curation.texts import ngrams, tokens_of

_SAMPLE = 4000
_TRANSLATED = {
    "fr": "Combien de nombres premiers inférieurs à 100 sont congrus à 1 modulo 4 ?",
    "de": r"Bestimmen Sie die Anzahl der positiven Teiler von $2^5\cdot 3^4$.",
    "es": "¿Cuántos números enteros positivos menores que 50 son divisibles entre 3 o entre 5?",
    "it": "Quanti sono i numeri interi positivi minori di 50 divisibili per 3 oppure per 5?",
    "pt": "Quantos números inteiros positivos menores que 50 são divisíveis por 3 ou por 5?",
    "nl": "Hoeveel positieve gehele getallen kleiner dan 50 zijn deelbaar door 3 of door 5?",
    "pl": "Ile jest liczb całkowitych dodatnich mniejszych od 50 podzielnych przez 3 lub przez 5?",
    "tr": "50'den küçük kaç pozitif tam sayı 3 veya 5 ile bölünebilir?",  # noqa: RUF001
    "ro": "Câte numere întregi pozitive mai mici decât 50 sunt divizibile cu 3 sau cu 5?",
    "vi": "Có bao nhiêu số nguyên dương nhỏ hơn 50 chia hết cho 3 hoặc cho 5?",
    "id": "Berapa banyak bilangan bulat positif kurang dari 50 yang habis dibagi 3 atau 5?",
    "sv": "Hur många positiva heltal mindre än 50 är delbara med 3 eller med 5?",
}
"""Ours, in languages with Latin letters; the letters decide about others."""


def main() -> None:
    if peers := os.environ.get("ORZ_PEER_CURATION"):
        sys.path.append(peers)
    questions = [
        json.loads(line)["problem"]
        for name in ("deepscaler_by_difficulty", "math_train_7474", "orz57k_first2048", "gsm8k_train")
        for line in (data_folder() / "train" / f"{name}.jsonl").open(encoding="utf-8")
    ]
    sample = random.Random(0).sample(questions, _SAMPLE)
    keep(
        "curation_libraries",
        {
            "questions": _SAMPLE,
            "minhash": minhash(sample),
            "languages": languages(sample),
            "embeddings": embeddings(data_folder() / "train" / "deepscaler_by_difficulty.jsonl"),
        },
    )


def minhash(questions: Sequence[str]) -> dict[str, Any]:
    """CPU seconds of 128 hashes of each question's 3-grams."""
    words = [tokens_of(question) for question in questions]
    result = {"rensa": {"cpu_seconds": _timed(lambda: band_keys(ngrams(words, 3)))}}
    try:
        from datasketch import MinHash
    except ImportError:
        return result

    def signatures() -> None:
        for tokens in words:
            one = MinHash(num_perm=NUM_BANDS * ROWS_PER_BAND, seed=1)
            one.update_batch([" ".join(tokens[at : at + 3]).encode() for at in range(max(1, len(tokens) - 2))])

    return result | {"datasketch": {"cpu_seconds": _timed(signatures)}}


def languages(questions: Sequence[str]) -> dict[str, Any]:
    """English questions that are called something else, and translated ones that are called English."""
    texts = [prose(question) for question in questions if not foreign_letters(question)]
    texts = [text for text in texts if len(text.split()) >= 4]
    classify = {"py3langid": _py3langid()}
    with suppress(ImportError):
        classify["lingua"] = _lingua()
    found = {}
    for name, language_of in classify.items():
        labels: list[str] = []
        seconds = _timed(lambda labels=labels, language_of=language_of: labels.extend(map(language_of, texts)))
        foreign = [text for text, label in zip(texts, labels, strict=True) if label != "en"]
        found[name] = {
            "cpu_seconds": seconds,
            "not_english": len(foreign),
            "longest_words": max((len(text.split()) for text in foreign), default=0),
            "translated_called_english": [
                language for language, text in _TRANSLATED.items() if language_of(prose(text)) == "en"
            ],
        }
    return {"texts": len(texts), "translated": len(_TRANSLATED), **found}


def embeddings(source: Path) -> dict[str, Any]:
    """What the stage `embedding` finds behind MinHash, in 3,000 rows that are alphabetical neighbours."""
    with source.open(encoding="utf-8") as file:
        rows = sorted(map(json.loads, file), key=lambda row: " ".join(tokens_of(row["problem"])))[15_000:18_000]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        settings = {"sources": [{"path": str(path)}], "decontaminate": None, "embedding": {}}
        notices: list[tuple[str, float]] = []
        curate(
            checked(settings, where="curation_libraries"),
            out=Path(folder) / "out",
            notice=lambda text: notices.append((text, time.process_time())),
        )
        pairs = pq.read_table(Path(folder) / "out" / "pairs.parquet").to_pylist()
    at = next(n for n, (text, _) in enumerate(notices) if text.startswith("embedding"))
    return {
        "stage": notices[at][0],
        "cpu_seconds": round(notices[at][1] - notices[at - 1][1], 1),
        "pairs": dict(Counter(pair["verdict"] for pair in pairs if pair["stage"] == "embedding")),
    }


def _py3langid() -> Callable[[str], str]:
    import py3langid

    return lambda text: str(py3langid.classify(text)[0])


def _lingua() -> Callable[[str], str]:
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()

    def language_of(text: str) -> str:
        found = detector.detect_language_of(text)
        return "none" if found is None else found.iso_code_639_1.name.lower()

    return language_of


def _timed(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return round(time.process_time() - start, 2)


if __name__ == "__main__":
    main()
