"""A reader who goes from the start page to a purpose: clicks are counted, or keys alone lead there."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.browser.conftest import open_page, settled

WAIT_MS = 60_000
MOST_TABS = 120


class Clicks:
    """Counts what a reader does to get from the start page to the purpose."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.count = page, 0
        open_page(page, address if "?" in address else f"{address}/?run=up")

    def on(self, locator: Any, *, path: str = "") -> None:
        """Click, and wait until the page of that path is drawn."""
        locator.wait_for(timeout=WAIT_MS)
        locator.click()
        self._counted(path)

    def choose(self, label: str, option: str) -> None:
        """Two clicks: a choice, and one of its options."""
        self.on(self.page.get_by_label(label, exact=True).last)
        # The list may still move below the pointer.
        self.page.get_by_role("option", name=option, exact=True).dispatch_event("click", timeout=WAIT_MS)
        self._counted("")

    def at(self, x: float, y: float, *, path: str = "") -> None:
        self.page.mouse.click(x, y)
        self._counted(path)

    def _counted(self, path: str) -> None:
        self.count += 1
        if path:
            self.page.wait_for_url(lambda url: urlsplit(url).path == path, timeout=WAIT_MS)
        self.page.wait_for_timeout(300)
        settled(self.page)

    def to(self, title: str) -> None:
        """By the navigation."""
        link = self.page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=title, exact=True)
        self.on(link, path=f"/{title.lower()}")


class Keys:
    """Goes by Tab, as a reader without a mouse: what Tab does not reach fails."""

    def __init__(self, page: Any, address: str) -> None:
        self.page = page
        open_page(page, address if "?" in address else f"{address}/?run=up")

    def tab_to(self, locator: Any) -> None:
        """Press Tab until it, or something in it, has the focus."""
        locator.wait_for(state="attached", timeout=WAIT_MS)
        for _ in range(MOST_TABS):
            if locator.evaluate("e => e === document.activeElement || e.contains(document.activeElement)"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{MOST_TABS} times Tab do not lead to {locator}")

    def press(self, *keys: str, path: str = "") -> None:
        """Press these keys, and wait until the page of that path is drawn."""
        for key in keys:
            self.page.keyboard.press(key)
        if path:
            self.page.wait_for_url(lambda url: urlsplit(url).path == path, timeout=WAIT_MS)
        self.page.wait_for_timeout(300)
        settled(self.page)

    def to(self, title: str) -> None:
        """By the navigation."""
        self.tab_to(self.page.get_by_test_id("stTopNavLinkContainer").get_by_role("link", name=title, exact=True))
        self.press("Enter", path=f"/{title.lower()}")
