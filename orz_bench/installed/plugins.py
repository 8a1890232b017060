"""Objects that other packages add by entry points, beside our own: backends, benchmarks, rewards and the other groups.

Our own are listed as `module:attribute`, as an entry point is, or are objects at hand. An object is imported when it is
asked for, and entry points are looked up only for a name that is not ours. One that cannot be used is a fault with the
name of its package, and all others still work. docs/plugins.md lists the groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Generic, TypeVar

from orz_bench.errors import ConfigError, nearest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PluginFault:
    """An entry point that cannot be used."""

    name: str
    source: str
    """Name and version of its package."""
    reason: str

    def __str__(self) -> str:
        return f"{self.name} of {self.source}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginGroup(Generic[T]):
    """The objects of one kind."""

    name: str
    """The group of entry points, such as `orz.backends`."""
    noun: str
    """One object, in messages."""
    kind: type[T]
    """Class, or protocol that can be checked at run time, of every object."""
    built_in: Mapping[str, str] | Mapping[str, T]
    """Our own: name -> `module:attribute`, or the object. Another package cannot replace them."""
    fault_of: Callable[[T], str | None] | None = None
    """Why an object of another package cannot be used, beside what `kind` says; None for a usable one."""

    def names(self) -> list[str]:
        """Every name, ours first; nothing is imported."""
        return [*self.built_in, *self.others()]

    def others(self) -> list[str]:
        """The names that other packages add."""
        return sorted({point.name for point in self._points()} - self.built_in.keys())

    def package_of(self, name: str) -> str:
        """Name and version of the package that adds this name; empty for ours."""
        if name in self.built_in:
            return ""
        return next((_source(point) for point in self._points() if point.name == name), "")

    def reference_of(self, name: str) -> tuple[str, str]:
        """(`module:attribute`, name and version of its package) of an object that is imported elsewhere.

        ConfigError for a name that is unknown, or that two packages use.
        """
        if name in self.built_in:
            return str(self.built_in[name]), ""
        points = self._named(name)
        if len(points) > 1:
            packages = " and ".join(_source(point) for point in points)
            raise ConfigError(f"{self.noun} {name!r} is the name of two: of {packages}. Uninstall one of them.")
        return points[0].value, _source(points[0])

    def load(self, name: str) -> T:
        """The object of this name. ConfigError for an unknown one, and for one that cannot be used."""
        if name in self.built_in:
            return self._built_in(name)
        found = self._one_of(self._named(name))
        if isinstance(found, PluginFault):
            raise ConfigError(
                f"{self.noun} {found}. Correct or uninstall that package; there are also "
                f"{', '.join(each for each in self.names() if each != name)}."
            )
        return found

    def load_all(self) -> tuple[dict[str, T], list[PluginFault]]:
        """Every object by name, ours first, and every entry point that cannot be used."""
        objects = {name: self._built_in(name) for name in self.built_in}
        faults = []
        by_name: dict[str, list[metadata.EntryPoint]] = {}
        for point in self._points():
            by_name.setdefault(point.name, []).append(point)
        for name, points in sorted(by_name.items()):
            found = self._one_of(points)
            if isinstance(found, PluginFault):
                faults.append(found)
            else:
                objects[name] = found
        return objects, faults

    def _named(self, name: str) -> list[metadata.EntryPoint]:
        points = [point for point in self._points() if point.name == name]
        if not points:
            raise ConfigError(
                f"{self.noun} {name!r} is unknown{nearest(name, self.names())}; there are {', '.join(self.names())}."
            )
        return points

    def _points(self) -> Iterator[metadata.EntryPoint]:
        """Each entry point once, though its package may be found at several places of the path."""
        seen = set()
        for point in metadata.entry_points(group=self.name):
            key = point.name, point.value, _source(point)
            if key not in seen:
                seen.add(key)
                yield point

    def _built_in(self, name: str) -> T:
        found: Any = self.built_in[name]
        if isinstance(found, str):
            found = metadata.EntryPoint(name=name, value=found, group=self.name).load()
        assert isinstance(found, self.kind), f"{name} is a {type(found).__name__}"
        return found

    def _one_of(self, points: list[metadata.EntryPoint]) -> T | PluginFault:
        """The object of the entry points of one name."""
        first = points[0]
        if first.name in self.built_in:
            return PluginFault(first.name, _source(first), f"the name is that of a {self.noun} of our own")
        if len(points) > 1:
            others = ", ".join(_source(point) for point in points[1:])
            return PluginFault(first.name, _source(first), f"the name is also used by {others}")
        try:
            found = first.load()
        except (Exception, SystemExit) as error:  # an import runs whatever that package does
            reason = " ".join(str(error).split()) or "no reason given"
            return PluginFault(
                first.name, _source(first), f"{first.value} cannot be imported ({type(error).__name__}: {reason[:300]})"
            )
        if not isinstance(found, self.kind):
            found_type = type(found).__name__
            return PluginFault(
                first.name, _source(first), f"{first.value} is a {found_type}, wanted a {self.kind.__name__}"
            )
        reason_against = self.fault_of(found) if self.fault_of is not None else None
        if reason_against is not None:
            return PluginFault(first.name, _source(first), f"{first.value}: {reason_against}")
        own = getattr(found, "name", first.name)
        if own != first.name:
            return PluginFault(first.name, _source(first), f"{first.value} calls itself {own!r}; the names must agree")
        return found


def names_of(group: str) -> list[str]:
    """The names that other packages add to a group; nothing is imported."""
    return sorted({point.name for point in metadata.entry_points(group=group)})


def _source(point: metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"
