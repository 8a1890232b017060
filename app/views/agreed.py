"""Questions whose majority is the same wrong answer at the last checkpoints: a wrong gold, or a shared mistake."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from app.markdown import escaped, plain
from app.queries.answers import Agreed, Votes, agreed, by_problem, votes
from app.queries.keys import RowKey, key_text
from app.queries.questions import history
from app.queries.rows import one_row
from app.queries.sides import Side, side_text
from app.views import address
from app.views.context import Context
from app.views.opened import OpenRun
from orz_bench.errors import counted

PAGE_ROWS = 15


def agreed_questions(
    context: Context, columns: Sequence[tuple[Side, OpenRun]], *, titles: Sequence[str], benchmark: str,
    problems: Collection[str],
) -> None:  # fmt: skip
    """Draw the list of these questions, clearest first, each with a link to the form for its verdict."""
    found = agreed(_votes(columns, benchmark, problems=problems), least=min(2, len(columns)))
    if not found:
        st.info(
            "No question has a wrong majority that is stable: the same at the last two checkpoints, or in all runs."
        )
        return
    stable = (
        "the last two checkpoints or more"
        if len(columns) > 1
        else "the only checkpoint: whether it is stable is unknown"
    )
    st.caption(
        f"{counted(len(found), 'question')} with the same wrong majority at {stable}. The gold may be wrong, or the "
        "models share a mistake. *Judge* opens a response with the form for its verdict."
    )
    number = address.page_of(len(found), page_rows=PAGE_ROWS)
    head = ("Question", "Gold", "Majority", "Share", "Since", "")
    widths = [3, 2, 3, 1, 2, 1.4]
    for cell, name in zip(st.columns(widths), head, strict=True):
        cell.caption(name)
    for one in found[number * PAGE_ROWS : (number + 1) * PAGE_ROWS]:
        _row(context, one, columns=columns, titles=titles, benchmark=benchmark, widths=widths)
    if len(found) > PAGE_ROWS:
        back, forward, _ = st.columns([1, 1, 8])
        back.button("", icon=":material/chevron_left:", key="agreed:back", help="Previous page", disabled=number == 0,
                    on_click=address.put_page, args=(number - 1,), width="stretch")  # fmt: skip
        forward.button("", icon=":material/chevron_right:", key="agreed:forward", help="Next page",
                       disabled=(number + 1) * PAGE_ROWS >= len(found), on_click=address.put_page,
                       args=(number + 1,), width="stretch")  # fmt: skip


def _state(run: OpenRun) -> tuple[int, str, int, int]:
    """Changes with the rollouts of the run."""
    return id(run.index), str(run.index.run), run.index.generation, run.coverage.num_rollouts


@st.cache_resource(max_entries=16, show_spinner="Counting the answers", hash_funcs={OpenRun: _state})
def _counted(run: OpenRun, benchmark: str) -> list[Votes]:
    return votes(run.index, benchmark)


def _votes(
    columns: Sequence[tuple[Side, OpenRun]], benchmark: str, *, problems: Collection[str]
) -> dict[str, list[Votes]]:
    """The votes of each question in the order of the columns."""
    by_run = {run.name: _counted(run, benchmark) for _, run in columns}
    order = {(side.run, side.fingerprint, side.step): number for number, (side, _) in enumerate(columns)}
    known = [
        (order[name, vote.fingerprint, vote.step], vote)
        for name, found in by_run.items()
        for vote in found
        if vote.problem_id in problems and (name, vote.fingerprint, vote.step) in order
    ]
    return by_problem(vote for _, vote in sorted(known, key=lambda one: one[0]))


def _row(
    context: Context, one: Agreed, *, columns: Sequence[tuple[Side, OpenRun]], titles: Sequence[str], benchmark: str,
    widths: Sequence[float],
) -> None:  # fmt: skip
    cells = st.columns(widths, vertical_alignment="center")
    side, run = columns[-1]
    query = {"run": [side.run], "bench": [benchmark], "problem": [one.problem_id]}
    pages = context.pages
    if "question" in pages:
        ends = list(dict.fromkeys([side_text(columns[0][0]), side_text(side)]))
        cells[0].page_link(pages["question"], label=escaped(one.problem_id), query_params=query | {address.AT: ends})
    else:
        cells[0].markdown(escaped(one.problem_id))
    cells[1].markdown(f"✓ {escaped(one.gold[:60])}")
    cells[2].markdown(f"✗ {escaped(one.answer[:80]) or '(empty)'}")
    cells[3].markdown(f"{one.share:.0%}")
    cells[4].markdown(f"{escaped(plain(titles[-one.num_columns]))} :small[:gray[{one.num_columns} of {len(titles)}]]")
    row = _a_sample(run, side, benchmark=benchmark, one=one)
    if row is not None and "rollouts" in pages:
        query |= {address.ROW: [key_text(row)], address.JUDGE: ["1"], "step": [str(row.step)]}
        cells[5].page_link(pages["rollouts"], label="Judge", icon=":material/gavel:", query_params=query)


def _a_sample(run: OpenRun, side: Side, *, benchmark: str, one: Agreed) -> RowKey | None:
    """The first sample at the last checkpoint that gives this answer."""
    for step in history(run.index, benchmark, problem_id=one.problem_id):
        if (step.step, step.fingerprint) != (side.step, side.fingerprint):
            continue
        for sample in step.samples:
            row = one_row(run.index, sample.key) if sample.verdict != "correct" else None
            if row is not None and "".join((row.extracted or "").split()) == "".join(one.answer.split()):
                return sample.key
        return next((sample.key for sample in step.samples if sample.verdict != "correct"), None)
    return None
