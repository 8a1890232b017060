"""The options of `orz-bench eval`: every setting with its option, default and meaning.

Those of protocols are declared in orz_bench/asking/changes.py, those of engines in orz_bench/engines/settings.py.
Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import PROTOCOLS
from orz_bench.asking.suites.names import SUITES
from orz_bench.benchmarks.dates import parse_day
from orz_bench.benchmarks.own.address import with_options_joined
from orz_bench.engines.model_options import EngineOptions, parse_template_args
from orz_bench.engines.registry import ENGINES
from orz_bench.environment import data_folders as parse_data_dir
from orz_bench.evaluation.questions import Selection
from orz_bench.secrets import redacted
from orz_bench.terminal import DATA_DIR, SINCE, AllowWeakIsolation, Workers, listed

HEADLINE_BENCHMARKS = ("aime24", "aime25", "math500", "gpqa_diamond")


def parse_names(text: str | None) -> tuple[str, ...]:
    """`a,b` as ("a", "b"), each once; options of a table (`my.csv:question=q,answer=a`) stay with it."""
    parts = (part.strip() for part in (text or "").split(",") if part.strip())
    return tuple(dict.fromkeys(with_options_joined(parts)))


def parse_since(since: str | None) -> date | None:
    """The day of --since. ConfigError for what is none."""
    return parse_day(since, "--since")


def _paths(folders: list[Path] | None) -> tuple[Path, ...]:
    return tuple(folders or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class GradingOptions:
    """How answers are graded."""

    keep_broken_golds: Annotated[
        bool, typer.Option(help="Continue if a gold answer fails the grader's self-check.")
    ] = False
    allow_weak_isolation: AllowWeakIsolation = False
    num_grading_workers: Workers = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """A search for each response, in which a critic chooses among candidates at the ends of sentences."""

    select: Annotated[
        Literal["beam", "prune"] | None,
        typer.Option(help="A critic chooses among candidates at the ends of sentences [default: off]."),
    ] = None
    critic: Annotated[Path | None, typer.Option(help="Folder of the critic for --select.")] = None
    budget: Annotated[
        int | None, typer.Option(min=1, help="Tokens for one response with --select, those of all candidates together.")
    ] = None
    width: Annotated[int, typer.Option(min=1, help="Candidates at the beginning with --select.")] = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalOptions:
    """An evaluation as it is asked for. None: as the protocol or the checkpoint says."""

    checkpoint: Annotated[
        str, typer.Option("--ckpt", help="Checkpoint folder, hub id, training run, or a model's name on a server.")
    ]
    benchmarks: Annotated[
        tuple[str, ...],
        typer.Option(
            "--bench",
            help=f"Benchmarks, separated by commas; a suite: {listed(SUITES)} or FILE.yaml; FILE or hub:OWNER/NAME is "
            "your own table, lm-eval:TASK a task.",
        ),
        parse_names,
    ] = HEADLINE_BENCHMARKS
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions of each benchmark.")] = None
    ids: Annotated[
        tuple[str, ...], typer.Option(help="Only the questions with these ids, separated by commas."), parse_names
    ] = ()
    sample: Annotated[int | None, typer.Option(min=1, help="Only N random questions, the same for a seed.")] = None
    since: Annotated[
        date | None,
        SINCE,
        parse_since,
    ] = None
    engine: Annotated[str, typer.Option(help=f"{listed(('auto', *ENGINES))}.")] = "auto"
    protocol: Annotated[
        str | None, typer.Option(help=f"{listed(PROTOCOLS)} [default: the benchmark's, mostly orz].")
    ] = None
    protocol_changes: ProtocolChanges = field(default_factory=ProtocolChanges)
    search: SearchOptions = field(default_factory=SearchOptions)
    system_prompt: Annotated[str | None, typer.Option(help="System message of the chat template.")] = None
    template_args: Annotated[
        Mapping[str, Any],
        typer.Option(help="NAME=VALUE for the chat template, such as enable_thinking=false; repeat it for several."),
        parse_template_args,
    ] = field(default_factory=dict)
    include_paths: Annotated[
        tuple[Path, ...],
        typer.Option("--include-path", help="A folder with your own tasks for lm-eval; repeat it for several."),
        _paths,
    ] = ()
    num_fewshot: Annotated[int | None, typer.Option(min=0, help="Worked examples of lm-eval's tasks.")] = None
    data_folders: Annotated[
        tuple[Path, ...],
        DATA_DIR,
        parse_data_dir,
    ] = ()
    out: Annotated[Path | None, typer.Option(help="Run directory [default: runs/NAME, or the training run].")] = None
    seed: Annotated[int, typer.Option(help="The run's seed.")] = 42
    step: Annotated[int | None, typer.Option(help="Training step of the checkpoint, or which one of a run.")] = None
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a checkpoint on the hub.")] = None
    dtype: Annotated[
        str,
        typer.Option(help="bfloat16, float16, float32; auto: bfloat16 where the machine is fast at it, else float32."),
    ] = "auto"
    engine_settings: EngineOptions = field(default_factory=EngineOptions)
    grading: GradingOptions = field(default_factory=GradingOptions)
    command: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """From Python, --since may be a text, too. ConfigError for one that is no day."""
        given: object = self.since
        if isinstance(given, str):
            object.__setattr__(self, "since", parse_since(given))

    @property
    def is_chat(self) -> bool:
        """Whether a server's chat endpoint is asked."""
        return self.engine_settings.server.endpoint == "chat"

    @property
    def selection(self) -> Selection:
        """The selected questions."""
        return Selection(ids=self.ids, sample=self.sample, seed=self.seed, since=self.since)

    def as_yaml(self) -> str:
        """config.yaml of the run; secrets in addresses are hidden."""
        import yaml

        plain: dict[str, Any] = asdict(self)
        plain |= plain.pop("grading")
        search = plain.pop("search")
        since = plain.pop("since")
        plain |= {"since": since.isoformat()} if since else {}
        plain |= {"search": search | {"critic": str(self.search.critic)}} if self.search.select else {}
        plain |= {key: list(map(str, plain[key])) for key in ("benchmarks", "data_folders", "include_paths", "command")}
        changes = self.protocol_changes.given()
        plain |= {
            "out": str(self.out) if self.out else None,
            "protocol_changes": {k: list(v) if isinstance(v, tuple) else v for k, v in changes.items()},
            "engine_settings": self.engine_settings.by_name(),
            "selection": {"ids": list(plain.pop("ids")), "sample": plain.pop("sample"), "seed": self.seed},
        }
        return yaml.safe_dump(redacted(plain), sort_keys=False, allow_unicode=True)
