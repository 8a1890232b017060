"""A page changes while the browser still asks for a part of the page before: the page in the address is shown."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from app.judging.side_folder import NAME
from app.queries.measure_files import MeasureFiles
from tests.browser.conftest import open_page, settled
from tests.browser.served import served
from tests.support.app_runs import random_run

WAIT_MS = 60_000


class Wire:
    """The messages between the browser and the server; those to the browser can be held back."""

    def __init__(self, page: Any) -> None:
        self.asked: list[BackMsg] = []
        """What the browser has sent."""
        self.on_answer: Callable[[ForwardMsg], None] = lambda _: None
        """Called with each message of the server as it arrives."""
        self._page = page
        self._held: list[Any] | None = None
        self._browser: Any = None
        self._server: Any = None
        page.route_web_socket(re.compile("/_stcore/stream"), self._connect)

    def _connect(self, browser: Any) -> None:
        self._browser, self._server = browser, browser.connect_to_server()
        browser.on_message(self._to_server)
        self._server.on_message(self._to_browser)

    def _to_server(self, message: Any) -> None:
        self.asked.append(BackMsg.FromString(message))
        self._server.send(message)

    def _to_browser(self, message: Any) -> None:
        self.on_answer(ForwardMsg.FromString(message))
        if self._held is None:
            self._browser.send(message)
        else:
            self._held.append(message)

    def ask(self, message: BackMsg) -> None:
        """Send this to the server as if the browser did."""
        self._to_server(message.SerializeToString())

    def hold(self) -> None:
        """Let nothing through to the browser."""
        self._held = []

    def release(self) -> None:
        """Send what was held back, and all that follows."""
        held, self._held = self._held or [], None
        for message in held:
            self._browser.send(message)

    def wait_for_timer(self) -> BackMsg:
        """Wait until the browser asks by itself for a part of the page, and return what it sent."""
        before = len(self.asked)
        while True:
            for message in self.asked[before:]:
                if message.rerun_script.is_auto_rerun:
                    return message
            self._page.wait_for_timeout(50)


@pytest.fixture
def unmeasured(tmp_path: Path) -> Iterator[str]:
    """The address of an app on a run that is never measured: its pages ask for the progress every two seconds."""
    run, _ = random_run(tmp_path / "run")
    run.mark("DONE")
    files = MeasureFiles.of(run.path, name="run", side=tmp_path / NAME)
    files.root.mkdir(parents=True)
    with served(tmp_path) as address, (files.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the process that measures ends at once
        yield address


def _shows_the_question(page: Any) -> None:
    """Q has led to the page Question, and it is whole and stays so."""
    page.wait_for_url(lambda url: urlsplit(url).path == "/question", timeout=WAIT_MS)
    page.locator(".orz-strip td.share").first.wait_for(timeout=WAIT_MS)
    page.locator(".orz-text").nth(1).wait_for(timeout=WAIT_MS)
    settled(page)
    page.wait_for_timeout(1000)
    assert page.locator(".orz-strip td.share").count() > 0
    assert urlsplit(page.url).path == "/question"


def _opened(page: Any, address: str) -> Wire:
    wire = Wire(page)
    open_page(page, f"{address}/rollouts?run=run")
    page.locator(".orz-text").first.wait_for(timeout=WAIT_MS)
    page.mouse.click(5, 400)
    return wire


def test_a_timer_goes_off_before_the_browser_knows_the_next_page(page: Any, unmeasured: str) -> None:
    """The server has drawn it already, and has a fragment of that function at that place there too."""
    wire = _opened(page, unmeasured)
    wire.hold()
    page.keyboard.press("q")
    wire.wait_for_timer()
    page.wait_for_timeout(1000)  # the server answers it
    wire.release()
    _shows_the_question(page)


@pytest.mark.parametrize("is_by_key", [True, False], ids=["by key", "by link"])
def test_a_timer_goes_off_while_the_next_page_is_drawn(page: Any, unmeasured: str, is_by_key: bool) -> None:
    """The server still has the fragments of the page before, and would draw this one after the page."""
    wire = _opened(page, unmeasured)
    timer = wire.wait_for_timer()
    settled(page)
    sent: list[bool] = []

    def is_late(answer: ForwardMsg) -> None:
        page_hash = answer.new_session.page_script_hash
        if not sent and answer.HasField("new_session") and page_hash != timer.rerun_script.page_script_hash:
            sent.append(True)
            wire.ask(timer)

    wire.on_answer = is_late
    if is_by_key:
        page.keyboard.press("q")
    else:
        page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name="Question").click()
    _shows_the_question(page)
    assert sent
