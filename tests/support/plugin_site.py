"""Packages with entry points, in a folder on the path, as an installer leaves them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class PluginSite:
    """A folder of installed packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, package: str, points: Mapping[str, Mapping[str, str]], *, source: str, version: str = "1.0") -> None:
        """A package of one module; `points`: group -> name -> `module:attribute`."""
        info = self.folder / f"{package}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        groups = [
            "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in names.items()), ""])
            for group, names in points.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(groups))
        (self.folder / f"{package}.py").write_text(source)


@contextmanager
def on_the_path(folder: Path) -> Iterator[PluginSite]:
    """The folder is searched for packages inside; what was imported meanwhile is forgotten."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield PluginSite(folder)
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
