"""Which tool a folder's training is of: by its files alone, with the file that says so."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

from orz_bench.errors import DataError, nearest
from orz_bench.exchange.logs.line import Line
from orz_bench.records.foreign_metrics import tool_of
from orz_rl.backends.following import openrlhf, prime_rl, trl, verl
from orz_rl.backends.following.feeds import EventsFeed
from orz_rl.backends.following.files import FollowedFiles
from orz_rl.backends.following.tool import Feed, Tool

TOOLS: Mapping[str, Tool] = MappingProxyType(
    {tool.name: tool for tool in (verl.TOOL, openrlhf.TOOL, trl.TOOL, prime_rl.TOOL)}
)
AUTO = "auto"


def tool_named(name: str) -> Tool:
    """The tool of this name; DataError with the nearest name for any other."""
    if name not in TOOLS:
        raise DataError(f"--from {name}: unknown{nearest(name, TOOLS)}; there are {AUTO}, {', '.join(TOOLS)}.")
    return TOOLS[name]


def recognised(wanted: str, paths: tuple[Path, ...]) -> tuple[Tool, str]:
    """(the tool, the file by which it is recognised, or why it is taken without one).

    DataError where nothing is recognised, where several tools are, or another one than the wanted.
    """
    signs = {tool.name: sign for tool in TOOLS.values() if (sign := sign_of(tool, paths))}
    if wanted != AUTO:
        tool = tool_named(wanted)
        if signs and wanted not in signs:
            raise DataError(
                f"{paths[0]}: found {_listed(signs)}, wanted {wanted} ({tool.signs}); name the tool that trains "
                f"(--from {next(iter(signs))}), or its folder."
            )
        return tool, signs.get(wanted, "none of its files is there yet")
    if not signs:
        looked = "".join(f"\n  {tool.name}: {tool.signs}" for tool in TOOLS.values())
        raise DataError(
            f"{paths[0]}: no training is recognised by its files; looked for{looked}\n"
            f"Name the tool with --from to wait for its first files."
        )
    if len(signs) > 1:
        raise DataError(f"{paths[0]}: found {_listed(signs)}; say with --from which of them to follow.")
    (name, sign) = next(iter(signs.items()))
    return TOOLS[name], sign


def sign_of(tool: Tool, paths: tuple[Path, ...]) -> str:
    """The first file that only this tool writes; empty where there is none."""
    with closing(FollowedFiles(tool, paths)) as files:
        files.look()
        for path in files.dumps:
            return f"rollouts in {path}"
        return next((f"metrics in {feed.key}" for feed in files.feeds.values() if _speaks(tool, feed)), "")


def _speaks(tool: Tool, feed: Feed) -> bool:
    lines = (line for line in feed.poll(is_last=False) if isinstance(line, Line))
    if isinstance(feed, EventsFeed):  # many programs write these
        return tool_of({name for line in lines for name in line.values}) == tool.name
    return next(lines, None) is not None


def _listed(signs: Mapping[str, str]) -> str:
    return " and ".join(f"{name} ({sign})" for name, sign in signs.items())
