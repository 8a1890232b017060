"""The stages of a configuration, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orz_bench.installed.extras import require
from orz_rl.curation.benchmark_questions import BenchmarkQuestions
from orz_rl.curation.settings import CurateSettings
from orz_rl.curation.stages.decontaminate import Decontaminate
from orz_rl.curation.stages.embedding import Embedding
from orz_rl.curation.stages.exact import Exact
from orz_rl.curation.stages.language import Language
from orz_rl.curation.stages.mix import Mix
from orz_rl.curation.stages.near import Near
from orz_rl.curation.stages.normalise import Normalise
from orz_rl.curation.stages.pass_rate import PassRate, place_of
from orz_rl.curation.stages.select import Select
from orz_rl.curation.stages.stage import Stage
from orz_rl.curation.stages.verify import Verify

READ = "read"
"""What the reading of the sources is called where stages are named."""
PASS_RATE = "pass_rate"
"""The run directory of the model's answers, in the folder of the result."""


def check(settings: CurateSettings) -> None:
    """ConfigError for what a late stage could not do: a library that is not installed, a model that is not there."""
    if settings.near is not None:
        require("curate", what="near (near duplicates)")
    if settings.embedding is not None:
        require("curate", what="embedding")
    if settings.language is not None and settings.language.keep == "english":
        require("curate", what="language.keep=english")
    if settings.pass_rate is not None and settings.pass_rate.model is not None:
        place_of(settings.pass_rate)


def stages_of(
    settings: CurateSettings, *, sources: Sequence[str], questions: BenchmarkQuestions | None, out: Path
) -> list[Stage]:
    """Decontamination first, so that every copy of a benchmark's question is found; then cheap stages before others."""
    stages: list[Stage] = []
    if settings.normalise is not None:
        stages.append(Normalise(settings.normalise))
    if settings.decontaminate is not None:
        assert questions is not None, "decontamination has questions"
        stages.append(Decontaminate(settings.decontaminate, questions))
    if settings.select is not None:
        stages.append(Select(settings.select, tuple(sources)))
    if settings.language is not None:
        stages.append(Language(settings.language))
    if settings.verify is not None:
        stages.append(Verify(settings.verify))
    if settings.exact:
        stages.append(Exact())
    if settings.near is not None:
        stages.append(Near(settings.near))
    if settings.embedding is not None:
        stages.append(Embedding(settings.embedding))
    if settings.pass_rate is not None:
        stages.append(PassRate(settings.pass_rate, seed=settings.seed, folder=out / PASS_RATE))
    if settings.mix is not None:
        stages.append(Mix(settings.mix, seed=settings.seed, sources=tuple(sources)))
    return stages
