"""Every fragment belongs to one page; that this keeps the next page whole is in tests/browser/test_page_changes.py."""

from __future__ import annotations

import ast
from pathlib import Path

from streamlit.testing.v1 import AppTest


def _script() -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from app.views.fragments import forget_other_pages, fragment, remember_page

    ctx = get_script_run_ctx()
    assert ctx is not None
    ctx.set_mpa_v2_page(st.session_state["page"])
    forget_other_pages()
    before = st.session_state.get("drawn", frozenset())
    st.session_state["known"] = [ctx.fragment_storage.contains(one) for one in before]
    remember_page()
    fragment(st.text)("drawn")
    st.session_state["drawn"] = ctx.shared.new_fragment_ids.snapshot()


def test_a_page_keeps_its_fragments_and_another_has_its_own() -> None:
    test = AppTest.from_function(_script)
    test.session_state["page"] = "a"
    first = test.run().session_state["drawn"]
    test.run()
    assert (test.session_state["drawn"], test.session_state["known"]) == (first, [True])
    test.session_state["page"] = "b"
    test.run()
    assert test.session_state["drawn"].isdisjoint(first)
    assert test.session_state["known"] == [False]
    assert not test.exception


def test_every_fragment_of_the_app_belongs_to_one_page() -> None:
    found = [
        path.name
        for path in sorted((Path(__file__).parents[4] / "app").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "st.fragment"
    ]
    assert found == ["fragments.py"]
