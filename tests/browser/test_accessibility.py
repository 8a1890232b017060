"""What axe-core finds on every page, in light and dark: no fault that it calls serious or critical."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.curated.pairs import pairs_at, pairs_file
from tests.browser.conftest import open_page, settled
from tests.browser.contrast import go_dark
from tests.browser.served import served
from tests.browser.test_rollouts import WAIT_MS
from tests.browser.test_shell import TITLES
from tests.support.analysed import analysed
from tests.support.curated_sets import curated

GRAVE = ("serious", "critical")
PAGES = {
    "runs": '[data-testid="stDataFrame"]',
    "runs?run=second&run=first": '[data-testid="stDataFrame"]',
    "training?run=second&run=first": '[data-testid="stVegaLiteChart"]',
    "live?run=growing&since=1": '[data-testid="stDataFrame"]',
    "benchmarks?run=second&run=first": '[data-testid="stVegaLiteChart"]',
    "matrix?run=run": 'canvas[role="img"]',
    "rollouts?run=run&text=wait&layer=reflection&judge=1": ".orz-text",
    "rollouts?run=nothing": '[data-testid="stAlert"]',
    "question?run=run": ".orz-text",
    "question?run=run&bench=bench0&problem=p0&at=run@0~0123456789ab&at=run@2~0123456789ab": ".orz-text",
    "suspicious?run=run": ".orz-text",
    "judging?run=run&bench=bench0&who=eve": ".orz-text",
    "report?run=first&made=1": "iframe",
    "report?run=first&rows=metrics": '[data-testid="stDownloadButton"]',
}
"""Address -> what the page has when it is whole."""
DATA_PAGES = {
    "runs": '[data-testid="stAlert"]',
    "data": '[data-testid="stDataFrame"]',
    "data?set=runs/mix&view=flow": "img",
    "data?set=runs/mix&view=rows&id=ann": '[data-testid="stDataFrame"]',
    "data?set=runs/mix&view=pairs&pair={pair}": ".orz-text",
    "data?set=runs/mix&view=benchmarks&pair={of_benchmark}": ".orz-text",
}


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder without a run, and with a curated set."""
    found: Path = tmp_path_factory.mktemp("sets")
    curated(found / "mix")
    return found


@pytest.fixture(scope="module")
def sets_address(sets: Path) -> Iterator[str]:
    with served(sets) as found:
        yield found


def _faults(page: Any) -> dict[str, list[str]]:
    """Rule of axe-core -> the first places where a grave fault is."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe-core: install the extra dev"
    ).Axe()
    found = axe.run(page).response["violations"]
    return {
        f"{one['impact']}: {one['id']}, {one['help']}": [node["html"][:300] for node in one["nodes"][:3]]
        for one in found
        if one["impact"] in GRAVE
    }


def _is_usable_by_all(page: Any, address: str, *, whole: str) -> None:
    open_page(page, address)
    page.locator(whole).first.wait_for(timeout=WAIT_MS)
    settled(page)
    assert _faults(page) == {}
    go_dark(page)
    settled(page)
    assert _faults(page) == {}


@pytest.mark.parametrize("where", PAGES)
def test_every_page_is_usable_by_all(page: Any, address: str, where: str) -> None:
    _is_usable_by_all(page, f"{address}/{where}", whole=PAGES[where])


@pytest.mark.parametrize("where", DATA_PAGES)
def test_every_view_of_curated_data_is_usable_by_all(page: Any, sets: Path, sets_address: str, where: str) -> None:
    pairs = {pair.is_of_benchmark: pair.hash for pair in pairs_at(pairs_file(sets / "mix"), range(5))}
    filled = where.format(pair=pairs[False], of_benchmark=pairs[True])
    _is_usable_by_all(page, f"{sets_address}/{filled}", whole=DATA_PAGES[where])


def test_findings_are_usable_by_all(page: Any, tmp_path: Path) -> None:
    analysed(tmp_path / "run")
    with served(tmp_path) as address:
        _is_usable_by_all(page, f"{address}/findings?run=run", whole='[data-testid="stImage"] img')


def test_every_page_is_looked_at() -> None:
    looked_at = {where.partition("?")[0] for where in (*PAGES, *DATA_PAGES)}
    assert looked_at | {"findings"} == set(TITLES)


def test_open_menus_are_usable_by_all(page: Any, address: str) -> None:
    open_page(page, f"{address}/rollouts?run=run")
    for name in ("Filters", "View", "Verdict"):
        page.get_by_role("button", name=re.compile(f"^{name}|{name}$")).first.click()
        page.locator('[data-testid="stPopoverBody"]').wait_for(timeout=WAIT_MS)
        assert _faults(page) == {}, name
        page.keyboard.press("Escape")
        page.locator('[data-testid="stPopoverBody"]').wait_for(state="detached", timeout=WAIT_MS)
