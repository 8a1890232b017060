"""Entry points of real distribution folders on the path: found, refused with a name, and never in the way of others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_bench.installed.plugins import PluginGroup


@dataclass(frozen=True)
class Colour:
    name: str


RED = Colour("red")
GROUP = PluginGroup(name="orz.test_colours", noun="colour", kind=Colour, built_in={"red": f"{__name__}:RED"})


class Site:
    """A folder of installed packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, package: str, points: dict[str, str], *, source: str = "", version: str = "1.0") -> None:
        info = self.folder / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[orz.test_colours]", *lines, ""]))
        (self.folder / f"{package}.py").write_text(f"from {__name__} import Colour\n{source}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield Site(tmp_path)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_an_object_of_another_package_is_found_beside_ours(site: Site) -> None:
    site.add("paint_a", {"blue": "paint_a:BLUE"}, source="BLUE = Colour('blue')")
    assert GROUP.names() == ["red", "blue"]
    assert GROUP.load("blue").name == "blue"
    assert GROUP.load("red") is RED
    objects, faults = GROUP.load_all()
    assert list(objects) == ["red", "blue"]
    assert not faults


@pytest.mark.parametrize(
    ("value", "source", "reason"),
    [
        ("paint_b:GREEN", "raise RuntimeError('no driver')", "RuntimeError: no driver"),
        ("paint_b:GREEN", "raise SystemExit(3)", "SystemExit: 3"),
        ("paint_b:GREEN", "", "AttributeError"),
        ("paint_b:GREEN", "GREEN = 'green'", "is a str, wanted a Colour"),
        ("paint_b:GREEN", "GREEN = Colour('lime')", "calls itself 'lime'"),
        ("no_such_module:GREEN", "", "ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_used_is_named_and_the_others_still_work(
    site: Site, value: str, source: str, reason: str
) -> None:
    site.add("paint_b", {"green": value}, source=source)
    site.add("paint_c", {"white": "paint_c:WHITE"}, source="WHITE = Colour('white')")
    objects, (fault,) = GROUP.load_all()
    assert list(objects) == ["red", "white"]
    assert reason in str(fault)
    assert str(fault).startswith("green of paint_b 1.0: ")
    with pytest.raises(ConfigError, match=r"colour green of paint_b 1\.0: .*there are also red, white"):
        GROUP.load("green")


def test_our_own_name_cannot_be_taken(site: Site) -> None:
    site.add("paint_d", {"red": "paint_d:RED"}, source="RED = Colour('red')")
    objects, (fault,) = GROUP.load_all()
    assert objects == {"red": RED}
    assert GROUP.load("red") is RED
    assert "paint_d 1.0: the name is that of a colour of our own" in str(fault)


def test_a_name_that_two_packages_use_is_no_ones(site: Site) -> None:
    for package in ("paint_e", "paint_f"):
        site.add(package, {"pink": f"{package}:PINK"}, source="PINK = Colour('pink')")
    objects, (fault,) = GROUP.load_all()
    assert list(objects) == ["red"]
    assert "paint_e 1.0" in str(fault)
    assert "paint_f 1.0" in str(fault)
    with pytest.raises(ConfigError, match="the name is also used by"):
        GROUP.load("pink")


def test_an_unknown_name_lists_what_there_is(site: Site) -> None:
    site.add("paint_g", {"blue": "paint_g:BLUE"}, source="BLUE = Colour('blue')")
    with pytest.raises(ConfigError, match=r"colour 'blu' is unknown \(did you mean 'blue'\?\); there are red, blue"):
        GROUP.load("blu")
