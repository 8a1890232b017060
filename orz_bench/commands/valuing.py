"""orz-bench value."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import TaskID, TextColumn, TimeRemainingColumn

from orz_bench.commands.options import takes_options
from orz_bench.commands.selected import Selected
from orz_bench.errors import counted
from orz_bench.terminal import BarDisplay, Json, libraries_on_stderr, print_result, reports_errors, stderr_console

_BATCH_PACKS = 8
"""Packs of about this many tokens are one part: what a killed process loses."""
_LINE_SECONDS = 30.0


class ValueDisplay(BarDisplay):
    """An Observer: a bar with tokens/s on a terminal, lines elsewhere."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
        self._task: TaskID | None = None

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        """Show a new bar; report the responses that have values already."""
        self._name, self._total, self._done, self._tokens = name, num_missing, 0, 0
        if num_missing < num_wanted:
            have = counted(num_wanted - num_missing, "response", verb=("has", "have"))
            self.notice(f"{name}: {have} values already, {num_missing:,} to assess")
        self._start = self._last_line = time.monotonic()
        self._task = self._bar.add_task(name, total=num_missing, rate="") if num_missing else None

    def committed(self, num_responses: int, *, num_tokens: int) -> None:
        """Count them."""
        self._done += num_responses
        self._tokens += num_tokens
        now = time.monotonic()
        rate = f"{self._tokens / max(now - self._start, 1e-9):,.0f} tok/s"
        if self._task is not None:
            self._bar.update(self._task, completed=self._done, rate=rate)
        if not self._console.is_terminal and now - self._last_line > _LINE_SECONDS:
            self._last_line = now
            self.notice(f"{self._name}: {self._done:,}/{self._total:,}  {rate}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueOptions:
    """Which rollouts are assessed, and how."""

    selected: Selected = field(default_factory=Selected)
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the critic computes.")] = "auto"
    dtype: Annotated[Literal["float32", "bfloat16"], typer.Option(help="Type of the critic's numbers.")] = "float32"
    pack_tokens: Annotated[int, typer.Option(min=1, help="Tokens of one forward pass.")] = 16_384


@reports_errors
@takes_options
def value_command(
    options: ValueOptions,
    *,
    run: Annotated[Path, typer.Argument(help="A run directory, or a file of rollouts.")],
    critic: Annotated[Path, typer.Option(help="Folder of the critic: ours, or one of Open-Reasoner-Zero.")],
    json_output: Json = False,
) -> None:
    """Store a critic's value of every token of stored answers, beside them. Run the same command again to resume."""
    from orz_bench.installed.extras import require
    from orz_bench.records.values import CriticCard
    from orz_bench.valuing.assess import assess, sources_of
    from orz_bench.valuing.critic import CriticSettings, open_critic

    require("transformers", what="a critic")
    which = options.selected
    sources = sources_of(run, benchmarks=which.bench, step=which.step, rollouts=which.rollouts)
    settings = CriticSettings(device=options.device, dtype=options.dtype, pack_tokens=options.pack_tokens)
    with libraries_on_stderr(), ValueDisplay(stderr_console()) as display:
        opened = open_critic(critic, settings)
        card = CriticCard(digest=opened.digest, dtype=options.dtype, format=opened.format, path=str(critic))
        batch_tokens = _BATCH_PACKS * options.pack_tokens
        found = []
        for source in sources:
            done = assess(source, opened, card=card, observer=display, batch_tokens=batch_tokens)
            found.append(done)
            if done.num_tokenised:
                other = f", {done.num_other_length:,} with another number of tokens than were sampled"
                display.notice(
                    f"{done.name}: {counted(done.num_tokenised, 'response', verb=('has', 'have'))} no token ids: "
                    f"tokenised again with the critic's tokenizer and checked to decode to the same text"
                    f"{other if done.num_other_length else ''}"
                )
            if done.num_without_text:
                kept = counted(done.num_without_text, "response", verb=("has", "have"))
                display.notice(f"{done.name}: {kept} no text any more, and no values")
    if json_output:
        rows = [asdict(each) | {"path": str(each.path)} for each in found]
        print_result(json.dumps({"critic": opened.digest, "assessed": rows}, ensure_ascii=False))
        return
    for each in found:
        print_result(f"{each.path}: {counted(each.num_stored, 'response')}, {each.num_computed_now:,} now")
