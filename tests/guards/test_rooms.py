"""Each package reads as a few rooms on a few floors, and CONTRIBUTING shows them as they are."""

from __future__ import annotations

import re

import pytest

from tests.guards.rooms import PAGE, floors, rooms_of, with_section
from tests.guards.tree import PACKAGES, PROJECT

MAX_FLOORS = 6
"""Of folders; the modules of a root are not counted."""
MAX_LOOSE = {"orz_bench": 8, "orz_rl": 5, "analysis": 2, "app": 5}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_few_floors_and_few_loose_modules(package: str) -> None:
    rooms = rooms_of(package)
    folders = {name: room for name, room in rooms.items() if not room.is_module}
    among = {
        name: type(room)(package, name, room.purpose, room.imports & folders.keys(), is_module=False)
        for name, room in folders.items()
    }
    assert max(floors(among).values()) <= MAX_FLOORS
    assert len(rooms) - len(folders) <= MAX_LOOSE[package]
    assert floors(rooms)  # no circle


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_says_what_it_does(package: str) -> None:
    assert all(len(room.purpose) > 20 for room in rooms_of(package).values())


def test_contributing_shows_the_rooms_of_today() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == with_section(text), "run `python -m tests.guards.rooms`"


def test_every_place_that_contributing_names_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = re.findall(r"`((?:orz_bench|orz_rl|analysis|app|tests|docs|benchmarks|requirements)/[\w./-]*)`", text)
    assert len(named) > 20
    assert [name for name in named if not (PROJECT / name).exists()] == []
