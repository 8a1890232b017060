"""Questions whose majority is the same wrong answer at the last checkpoints: a wrong gold, or a shared mistake."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from app.markdown import escaped, plain
from app.queries.answers import Agreed, Votes, agreed, votes
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
    is_of_runs = len({side.run for side, _ in columns}) > 1
    by_question = _votes(columns, benchmark, problems=problems)
    asked = {problem: list(those) for problem, those in by_question.items()}
    votes_of = {problem: list(those.values()) for problem, those in by_question.items()}
    found = agreed(votes_of, least=min(2, len(columns)), is_everywhere=is_of_runs)
    if not found:
        st.info(
            "No question has a wrong majority that is stable: the same at the last two checkpoints, or in all runs."
        )
        return
    stable = (
        "in all runs that were asked it"
        if is_of_runs
        else "at the last two checkpoints or more"
        if len(columns) > 1
        else "at the only checkpoint: whether it is stable is unknown"
    )
    st.caption(
        f"{counted(len(found), 'question')} with the same wrong majority {stable}. The gold may be wrong, or the "
        "models share a mistake. *Judge* opens a response with the form for its verdict."
    )
    number = address.page_of(len(found), page_rows=PAGE_ROWS)
    head = ("Question", "Gold", "Majority", "Share", "Runs" if is_of_runs else "Since", "")
    widths = [3, 2, 3, 1, 2, 1.4]
    for cell, name in zip(st.columns(widths), head, strict=True):
        cell.caption(name)
    for one in found[number * PAGE_ROWS : (number + 1) * PAGE_ROWS]:
        at = asked[one.problem_id]
        _row(context, one, columns=[columns[n] for n in at], titles=[titles[n] for n in at], benchmark=benchmark,
             widths=widths)  # fmt: skip
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
) -> dict[str, dict[int, Votes]]:
    """The votes of each question by the number of the column; a question has only those where it was asked."""
    by_run = {run.name: _counted(run, benchmark) for _, run in columns}
    order = {(side.run, side.fingerprint, side.step): number for number, (side, _) in enumerate(columns)}
    known = [
        (number, vote)
        for name, found in by_run.items()
        for vote in found
        if (number := order.get((name, vote.fingerprint, vote.step))) is not None and vote.problem_id in problems
    ]
    groups: dict[str, dict[int, Votes]] = {}
    for number, vote in sorted(known, key=lambda one: one[0]):
        groups.setdefault(vote.problem_id, {})[number] = vote
    return groups


def _row(
    context: Context, one: Agreed, *, columns: Sequence[tuple[Side, OpenRun]], titles: Sequence[str], benchmark: str,
    widths: Sequence[float],
) -> None:  # fmt: skip
    """Of the checkpoints that asked it."""
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
    since = "" if len({side.run for side, _ in columns}) > 1 else f"{escaped(plain(titles[one.since]))} "
    cells[4].markdown(f"{since}:small[:gray[{one.num_columns} of {len(titles)}]]")
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
