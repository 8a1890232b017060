"""What of an address is hidden, wherever it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.secrets import redact, redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://h/v1", "http://h/v1"),
        ("--base-url=http://u:p@h:1/v1", "--base-url=http://***@h:1/v1"),
        ("http://u:p@ss@h/v1?a=1&key=2#x end", "http://***@h/v1?a=***&key=***#x end"),
        ("http://h/v1?TOKEN", "http://h/v1?***"),
        ("two: http://a:b@c and https://d@e/f?g=h", "two: http://***@c and https://***@e/f?g=***"),
        ("no address: a?b=c, mail@host", "no address: a?b=c, mail@host"),
    ],
)
def test_users_and_values_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown


_SECRET = st.text("abcXYZ019-_.~!$'()*,;:@%", min_size=6, max_size=20).filter(lambda text: text.strip("*") == text)


@given(_SECRET, _SECRET)
def test_no_secret_is_left_anywhere(password: str, value: str) -> None:
    address = f"http://me:{password}@host:8000/v1?api-version=1&key={value.replace(';', '')}"
    shown = redacted({"command": ("eval", "--base-url", address), "nested": [{"text": f"at {address} now"}], "n": 1})
    assert password not in str(shown)
    assert value.replace(";", "") not in str(shown)
    assert str(shown).count("http://***@host:8000/v1?api-version=***&key=***") == 2
