"""The settings of a protocol that a user may change, each with the option that sets it on the command line."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

from orz_bench.asking.templates import TEMPLATES
from orz_bench.extraction.programs import CODE_EXTRACTORS
from orz_bench.extraction.rules import EXTRACTORS, LETTER_EXTRACTORS
from orz_bench.terminal import listed

EXTRACTOR_HELP = (
    f"Which rule finds the answer: {listed(EXTRACTORS)}; {listed(LETTER_EXTRACTORS)} for options; "
    f"{listed(CODE_EXTRACTORS)} for programs"
)


def _stop_strings(words: list[str] | None) -> tuple[str, ...] | None:
    """Stop strings as options; a single empty one asks for none at all."""
    return tuple(filter(None, words)) if words else None


def _if_set(flag: bool = False) -> bool | None:  # noqa: FBT001, FBT002
    return flag or None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolChanges:
    """Settings that differ from the named protocol. None: as the protocol says."""

    n: Annotated[int | None, typer.Option("--n", "-n", help="Samples per question [default: the protocol's].")] = None
    temperature: Annotated[float | None, typer.Option(help="0 is greedy [default: the protocol's].")] = None
    top_p: Annotated[float | None, typer.Option(help="[default: the protocol's]")] = None
    top_k: Annotated[int | None, typer.Option(help="-1 is off [default: the protocol's].")] = None
    min_p: Annotated[float | None, typer.Option(help="0 is off [default: off].")] = None
    presence_penalty: Annotated[float | None, typer.Option(help="0 is off [default: off].")] = None
    frequency_penalty: Annotated[float | None, typer.Option(help="0 is off [default: off].")] = None
    repetition_penalty: Annotated[float | None, typer.Option(help="1 is off [default: off].")] = None
    max_tokens: Annotated[int | None, typer.Option(help="New tokens per sample [default: the protocol's].")] = None
    template: Annotated[str | None, typer.Option(help=f"{listed(TEMPLATES)} [default: the protocol's].")] = None
    extractor: Annotated[str | None, typer.Option(help=f"{EXTRACTOR_HELP} [default: the protocol's].")] = None
    stop: Annotated[
        tuple[str, ...] | None, typer.Option(help="A stop string; repeat it for several; '' is none."), _stop_strings
    ] = None
    waits: Annotated[
        int | None, typer.Option(help="How often the end of a thought is replaced by --wait-text [default: 0].")
    ] = None
    wait_text: Annotated[str | None, typer.Option(help="What goes on instead of the end [default: Wait].")] = None
    thought_tokens: Annotated[
        int | None, typer.Option(help="A thought of so many tokens is ended, and the answer begun [default: off].")
    ] = None
    correct_errata: Annotated[
        bool | None, typer.Option(help="Use the right gold where the published one is wrong."), _if_set
    ] = None

    def given(self) -> dict[str, Any]:
        """The settings that are changed, by name."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}
