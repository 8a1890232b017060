"""The script that draws a page: lists the pages and draws what they share. app/main.py serves it."""

from __future__ import annotations

from app.views.failures import require_libraries
from app.views.libraries import wait_for_libraries

require_libraries()  # before they are imported
wait_for_libraries()

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import streamlit as st

from app import url
from app.curated.state import DataState
from app.markdown import escaped
from app.queries.filters import Filters
from app.runs.folder import RunsFolder
from app.screens import (
    benchmarks,
    data,
    findings,
    judging,
    live,
    matrix,
    question,
    report,
    rollouts,
    runs,
    suspicious,
    training,
)  # fmt: skip
from app.views import address
from app.views.address import parameters
from app.views.context import Context
from app.views.failures import shown_errors
from app.views.fragments import forget_other_pages, remember_page
from app.views.libraries import leave_libraries_out
from app.views.list_view import ListView
from app.views.names import remember_titles
from app.views.run_choice import choose, remember
from app.views.style import ICON, SHELL_STYLE
from orz_bench.environment import version_text
from orz_bench.errors import ConfigError


@dataclass(frozen=True, slots=True)
class PageSpec:
    """A page: its address, title and icon, and the number of runs it shows."""

    name: str
    title: str
    icon: str
    render: Callable[[Context], None]
    wants: Literal["any", "several", "one", "none"]


STATES = (
    runs.Chosen, training.TrainingState, training.RolloutsAt, live.LiveState, benchmarks.BenchmarksState,
    matrix.MatrixState, Filters, DataState, judging.JudgingState, ListView,
    findings.FindingsState, report.ReportState,
)  # fmt: skip
PAGES = (
    PageSpec("runs", "Runs", ":material/format_list_bulleted:", runs.render, "any"),
    PageSpec("training", "Training", ":material/show_chart:", training.render, "several"),
    PageSpec("live", "Live", ":material/monitor_heart:", live.render, "one"),
    PageSpec("benchmarks", "Benchmarks", ":material/leaderboard:", benchmarks.render, "several"),
    PageSpec("matrix", "Matrix", ":material/grid_on:", matrix.render, "several"),
    PageSpec("rollouts", "Rollouts", ":material/article:", rollouts.render, "one"),
    PageSpec("question", "Question", ":material/help_center:", question.render, "one"),
    PageSpec("suspicious", "Suspicious", ":material/flag:", suspicious.render, "one"),
    PageSpec("judging", "Judging", ":material/balance:", judging.render, "several"),
    PageSpec("findings", "Findings", ":material/lightbulb:", findings.render, "one"),
    PageSpec("data", "Data", ":material/dataset:", data.render, "none"),
    PageSpec("report", "Report", ":material/summarize:", report.render, "several"),
)
ANSWERS = {
    "runs": "Which runs are there, how far are they, and what have they scored?",
    "training": "How did reward, length and all other metrics move over the steps, and where did they break?",
    "live": "What does a training write now, is it healthy, and what changed since you last looked?",
    "benchmarks": "How accurate is each checkpoint, and is the difference between two of them real?",
    "matrix": "Which questions were learned, forgotten or never solved, and at which checkpoint?",
    "rollouts": "What did the model write, and how was it judged?",
    "question": "How was one question answered at different checkpoints, and by different runs?",
    "suspicious": "Which verdicts and responses need a look by a person?",
    "judging": "Which of two checkpoints answers better to people who do not know which is which, and do judges agree?",
    "findings": "What do the analyses say of one run: its thoughts, what it knows by heart, its tokens, its limits?",
    "data": "Where do the training problems come from, and which were left out, and why?",
    "report": "What did the runs learn, on one page and as files for others?",
}
"""The question that each page answers, which it says in one line."""


@dataclass(frozen=True, slots=True)
class Folders:
    """What the app is given."""

    runs: Path
    data: Path | None


def folders_in(arguments: Sequence[str]) -> Folders:
    """--runs, else $ORZ_RUNS, else `runs`; and --data. ConfigError for an option without a folder."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--data", type=Path)
    try:
        known, _ = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise ConfigError(
            f"{error}; name the folder of runs, or that of curated data: orz-app --runs RUNS --data DIR."
        ) from error
    return Folders(Path(known.runs or os.environ.get("ORZ_RUNS") or "runs"), known.data)


def main() -> None:
    """Draw the page in the address."""
    leave_libraries_out()
    forget_other_pages()
    st.set_page_config(
        page_title="orz",
        page_icon=ICON.read_text(encoding="utf-8"),
        layout="wide",
        menu_items={"About": f"orz {version_text()}"},
    )
    st.html(SHELL_STYLE)
    remember()
    pages: dict[str, st.Page] = {}
    for spec in PAGES:
        body = partial(show_page, spec, pages)
        pages[spec.name] = st.Page(body, title=spec.title, icon=spec.icon, url_path=spec.name)
    # Streamlit gives the default page only the address `/`: for `/runs` to exist, another page is the default.
    start = st.Page(partial(_start, pages), title="orz", url_path="start", default=True, visibility="hidden")
    st.navigation([*pages.values(), start], position="top").run()


def _start(pages: Mapping[str, st.Page]) -> None:
    st.switch_page(pages[PAGES[0].name], query_params=parameters())


KNOWN = {
    *(field for state in STATES for field in state.__dataclass_fields__),
    *(address.ROW, address.PAGE, address.LAYER, address.LEFT, address.RIGHT),
    *(address.AT, address.DIFFERING, address.JUDGE, address.PART, address.CRITIC),
    *(address.BENCHMARK, address.PROBLEM, address.SORT, address.FIND, address.SOLVED),
    *("embed", "embed_options"),
}
"""All parameters of all pages: a page keeps those of others, and Streamlit has two of its own."""


def say_unknown() -> None:
    """Name the parameters that no page has: a search that is misspelt would show every rollout."""
    for sentence in url.unknown(list(parameters()), KNOWN)[:5]:
        st.warning(escaped(sentence))
    for name in (address.ROW, address.LEFT, address.RIGHT):  # of no state, and read more than once
        address.single(name)


def show_page(spec: PageSpec, pages: Mapping[str, st.Page]) -> None:
    """Draw one page below the navigation; `pages` are the pages that it may link to."""
    remember_page()
    with shown_errors():
        given = folders_in(sys.argv[1:])
        folder = RunsFolder.at(given.runs)
        say_unknown()
        st.caption(ANSWERS[spec.name])
        whole = Context(folder=folder, entries=tuple(folder.runs()), data=given.data, pages=pages)
        remember_titles(whole.entries)
        context = whole if spec.wants == "none" else choose(whole, wants=spec.wants)
        if context is not None:
            spec.render(context)


if __name__ == "__main__":
    main()
