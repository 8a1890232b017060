"""The result of one evaluation: the statistics of a set of rollouts, and where and how they were obtained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any

from orz_bench.errors import RecordError
from orz_bench.records.intervals import Interval, question_interval, sampling_interval

WHO_ANSWERS = ("server", "tokenizer")
"""Fields of a protocol's card that identify the model, not the method: models with different values are comparable."""
SECOND_EXTRACTOR = "second_extractor"
"""On the card of an evaluation whose second rule is not the usual one of its extractor: it moves no score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One figure of a breakdown."""

    value: float
    standard_error: float | None
    """Standard error over resampled questions; undefined for one, and if all are alike; the interval is not."""
    num: int
    """Number of questions, or instructions, averaged."""
    is_share: bool = True
    """Whether it is a fraction, shown in percent, or a different quantity, such as a perplexity."""
    low: float | None = None
    """With `high`: the 95 % interval over resampled questions."""
    high: float | None = None

    @property
    def interval(self) -> Interval | None:
        """From low to high; for a share stored without them, computed for one sample per question."""
        if self.low is not None and self.high is not None:
            return Interval(self.low, self.high)
        if not self.is_share:
            return None
        return question_interval(self.value, error=self.standard_error, num_questions=self.num, num_samples=self.num)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Part:
        """The inverse of asdict; unknown keys are ignored, a missing interval is added."""
        part = cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})
        found = part.interval if "low" not in data else None
        return part if found is None else replace(part, low=found.low, high=found.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Statistics of the graded samples of one benchmark. Rates are fractions in [0, 1]; None means undefined.

    Formulas and sources: docs/statistics.md.
    """

    num_problems: int
    num_samples: int
    n: int
    """Samples of the question with the fewest."""
    avg_at_n: float
    se_sampling: float | None
    """Standard error of the mean over n resampled answers to the same questions; undefined for n = 1."""
    se_question: float | None
    """Standard error of the mean over questions sampled from a larger pool; undefined for one question."""
    pass_at: Mapping[str, float]
    maj_at_n: float | None
    """None where the extracted answers are unknown, as for some imported samples."""
    g_pass_at: Mapping[str, float | None]
    """Keys "n@tau", such as "16@0.5", and "mean" for mG-Pass@n, which is undefined for n below 4 and odd n."""
    extraction_rate: float | None
    clip_rate: float | None
    no_answer_rate: float
    accuracy_finished: float | None
    """Share correct among the samples not truncated by the token limit."""
    accuracy_second_extractor: float | None
    second_extractor: str
    duplicate_rate: float | None
    """Undefined for n = 1."""
    mean_tokens: float | None
    token_percentiles: Mapping[str, float]
    """Keys "5", "50", "95", "100"; none where token counts are unknown."""
    mean_tokens_correct: float | None
    mean_tokens_wrong: float | None
    verdicts: Mapping[str, int]
    breakdown: Mapping[str, Mapping[str, Part]] = field(default_factory=dict)
    """{"subject": {"anatomy": ...}}: parts of the score, if the benchmark has any."""
    sampling_low: float | None = None
    """With sampling_high: the 95 % interval of avg@n for these questions over resampled answers."""
    sampling_high: float | None = None
    question_low: float | None = None
    """With question_high: the 95 % interval of avg@n for all questions of the kind."""
    question_high: float | None = None
    pass_at_low: Mapping[str, float] = field(default_factory=dict)
    """With pass_at_high: 95 % intervals of pass@k over resampled questions."""
    pass_at_high: Mapping[str, float] = field(default_factory=dict)
    maj_low: float | None = None
    """With maj_high: the 95 % interval of maj@n over resampled questions."""
    maj_high: float | None = None
    undefined: Mapping[str, str] = field(default_factory=dict)
    """Why a figure is None, by its name."""
    other_rules: Mapping[str, float] = field(default_factory=dict)
    """avg@n under other extractors, where many responses have no answer under the protocol's; empty elsewhere."""
    disagreements: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Of imported samples that our grader judged too: another tool's verdict -> ours -> samples, where one is right and
    the other is not; empty elsewhere."""
    num_failed: int = 0
    """Samples without an answer of the engine, kept with --continue-on-error, which count as wrong."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """Tokens that a server counted, and their cost; empty elsewhere."""
    thoughts: Mapping[str, int] = field(default_factory=dict)
    """Samples with a thought, by the field of the message in which a server's chat endpoint kept it."""

    @property
    def num_disagreements(self) -> int:
        """Samples that are right by one of the two graders only."""
        return sum(count for ours in self.disagreements.values() for count in ours.values())

    @property
    def sampling(self) -> Interval | None:
        """The 95 % interval of avg@n over resampled answers; computed from the standard error if not stored."""
        if self.sampling_low is not None and self.sampling_high is not None:
            return Interval(self.sampling_low, self.sampling_high)
        return sampling_interval(self.avg_at_n, error=self.se_sampling, num_samples=self.num_samples)

    @property
    def question(self) -> Interval | None:
        """The 95 % interval of avg@n over resampled questions; computed from the standard error if not stored."""
        if self.question_low is not None and self.question_high is not None:
            return Interval(self.question_low, self.question_high)
        return question_interval(
            self.avg_at_n,
            error=self.se_question,
            num_questions=self.num_problems,
            num_samples=self.num_samples,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the order of the fields; without what was added later if there is none."""
        added = ("breakdown", "other_rules", "disagreements", "num_failed", "usage", "thoughts")
        return {name: value for name, value in asdict(self).items() if value or name not in added}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Summary:
        """The inverse of to_json. Unknown keys are ignored; missing ones raise RecordError."""
        required = [f.name for f in fields(cls) if f.default is MISSING and f.default_factory is MISSING]
        missing = [name for name in required if name not in data]
        if missing:
            raise RecordError(f"a summary lacks {', '.join(missing)}; evaluate again to write a complete one.")
        values = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        parts = {
            key: {name: Part.from_json(part) for name, part in found.items()}
            for key, found in data.get("breakdown", {}).items()
        }
        summary = cls(**values | {"breakdown": parts})
        return summary if "question_low" in data else replace(summary, **_missing_intervals(summary))


def _missing_intervals(summary: Summary) -> dict[str, Any]:
    """Fields that an older version did not write."""
    found = {"sampling": summary.sampling, "question": summary.question}
    known = {name: interval for name, interval in found.items() if interval is not None}
    return {f"{name}_low": interval.low for name, interval in known.items()} | {
        f"{name}_high": interval.high for name, interval in known.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalResult:
    """One benchmark of one checkpoint under one protocol."""

    run: str
    """The run directory, as the command named it."""
    benchmark: str
    """With its selection, such as `livecodebench:release_v5`."""
    step: int
    """The checkpoint's training step; 0 for a model that is not of a training run."""
    fingerprint: str
    """The hash of the protocol card: figures of different fingerprints are not comparable."""
    model: str
    """The checkpoint's folder name or hub id, for people."""
    protocol: Mapping[str, Any]
    """The protocol card: everything that can move a score."""
    summary: Summary
    num_problems_total: int
    """Problems of the benchmark; more than summary.num_problems if --limit was used."""
    num_generated_now: int = 0
    """Samples that this command generated; the others were there already."""
    errata: tuple[str, ...] = ()
    """One sentence per known wrong gold in the data, corrected or not."""
    regraded_from: str | None = None
    """The fingerprint of the evaluation whose samples were regraded here, from protocol.json."""
    origin: str = ""
    """Where the run comes from that was evaluated, from its run.json, for people; empty for one from a base model."""

    @property
    def is_scored(self) -> bool:
        """Whether answers are correct or wrong; not for a perplexity, whose figures are only in the breakdown."""
        return self.protocol.get("scored_by", "") is not None

    def to_json(self) -> dict[str, Any]:
        """One flat object, as in `orz-bench eval --json`."""
        head = {"run": self.run, "benchmark": self.benchmark, "step": self.step, "fingerprint": self.fingerprint}
        tail = {
            "model": self.model,
            "num_problems_total": self.num_problems_total,
            "num_generated_now": self.num_generated_now,
            "errata": list(self.errata),
            "protocol": dict(self.protocol),
        }
        added = {"regraded_from": self.regraded_from, "origin": self.origin}
        tail |= {name: value for name, value in added.items() if value}
        return head | self.summary.to_json() | tail

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EvalResult:
        """The inverse of to_json."""
        try:
            return cls(
                run=data["run"],
                benchmark=data["benchmark"],
                step=data["step"],
                fingerprint=data["fingerprint"],
                model=data["model"],
                protocol=data["protocol"],
                summary=Summary.from_json(data),
                num_problems_total=data["num_problems_total"],
                num_generated_now=data["num_generated_now"],
                errata=tuple(data["errata"]),
                regraded_from=data.get("regraded_from"),
                origin=data.get("origin", ""),
            )
        except KeyError as error:
            raise RecordError(f"a result lacks {error}; evaluate again to write a complete one.") from error
