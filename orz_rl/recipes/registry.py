"""All recipes by name, and how a recipe, variants and overrides become a checked configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import ValidationError

from orz_bench.errors import ConfigError, counted, nearest, suggestion
from orz_rl.config import TrainConfig
from orz_rl.recipes import distill, orz, tiny
from orz_rl.recipes.faults import faults as contradictions
from orz_rl.recipes.variants import VARIANTS
from orz_rl.settings.section import Section

RECIPES: Mapping[str, Callable[[], TrainConfig]] = MappingProxyType(
    {
        recipe.__name__: recipe
        for recipe in (
            tiny.tiny,
            tiny.tiny_programs,
            tiny.smollm2,
            tiny.smollm2_cpu,
            distill.tiny_distill,
            orz.one_gpu,
            orz.orz_0p5b_1gpu,
            orz.orz_0p5b,
            orz.orz_1p5b,
            orz.orz_7b,
            orz.orz_7b_grpo,
            orz.orz_32b,
            orz.orz_32b_anneal,
            orz.orz_r1_distill_14b,
        )
    }
)


_OLD_WARMUP = "optim.warmup_steps"
"""A setting of earlier versions that counted generations: still accepted, and written as optimizer steps."""


def resolve(recipe: str, *, variants: Sequence[str] = (), overrides: Sequence[str] = ()) -> TrainConfig:
    """The recipe, changed by the variants in turn, then by overrides of the form `section.key=value`.

    Raises one ConfigError that lists every fault.
    """
    if recipe not in RECIPES:
        raise ConfigError(
            f"recipe {recipe!r} is unknown{nearest(recipe, RECIPES)}; wanted one of {', '.join(RECIPES)}."
        )
    return changed(RECIPES[recipe](), recipe=recipe, variants=variants, overrides=overrides)


def changed(
    config: TrainConfig, *, recipe: str = "", variants: Sequence[str] = (), overrides: Sequence[str] = ()
) -> TrainConfig:
    """A configuration, changed by the variants in turn, then by overrides; `recipe` is its name, where it has one.

    Raises one ConfigError that lists every fault.
    """
    unknown = [name for name in variants if name not in VARIANTS]
    if unknown:
        raise ConfigError(
            f"variant {unknown[0]!r} is unknown{nearest(unknown[0], VARIANTS)}; wanted one of {', '.join(VARIANTS)}."
        )
    for name in variants:
        config = VARIANTS[name](config, recipe)
    tree = config.model_dump(mode="python")
    faults = [fault for override in overrides for fault in _apply(tree, override)]
    faults += _conflicting(overrides)
    try:
        config = TrainConfig.model_validate(tree)
    except ValidationError as error:
        faults += [_sentence(fault) for fault in error.errors()]
        config = _without_faults(config, tree, error=error)
    faults += contradictions(config)
    if faults:
        raise ConfigError("\n".join(faults) if len(faults) == 1 else _list_of(faults))
    return config


def _without_faults(base: TrainConfig, tree: dict[str, Any], *, error: ValidationError) -> TrainConfig:
    """The tree without the faulty changes, so that the others can be checked together; the base if that fails."""
    before = base.model_dump(mode="python")
    for fault in error.errors():
        section, key = [*map(str, fault["loc"]), ""][:2]
        if isinstance(before[section], dict) and key in before[section]:
            tree[section][key] = before[section][key]
        else:
            tree[section] = before[section]
    try:
        return TrainConfig.model_validate(tree)
    except ValidationError:
        return base


def leaves(section: type[Section] = TrainConfig, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting as (`section.key`, its pydantic field), in the order of config.yaml."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def as_yaml(config: TrainConfig) -> str:
    """The content of config.yaml."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any], *, prefix: str = "") -> list[str]:
    """`key: found X, wanted Y` for every setting in which two dumped trees differ."""
    lines: list[str] = []
    for key in dict.fromkeys([*found, *wanted]):
        left, right = found.get(key), wanted.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            lines += differences(left, right, prefix=f"{prefix}{key}.")
        elif left != right:
            lines.append(f"{prefix}{key}: found {left}, wanted {right}")
    return lines


def _apply(tree: dict[str, Any], override: str) -> Iterator[str]:
    """Set one leaf of the tree; yields the faults of the override."""
    key, sign, text = override.partition("=")
    if key == _OLD_WARMUP and sign:
        tree["optim"]["warmup_steps"] = _value(text, is_list=False)
        return
    names = [name for name, _ in leaves()]
    if not sign:
        yield f"{override!r} is not an override; write section.key=value, such as optim.policy_lr=2e-6"
        return
    if key not in names:
        by_last = [name for name in names if name.split(".")[-1] == key.split(".")[-1]]
        hint = suggestion(by_last[0]) if by_last else nearest(key, names)
        yield f"{key} is not a setting{hint}; `orz-rl recipes --settings` lists all"
        return
    *path, last = key.split(".")
    for name in path:
        tree = tree[name]
    tree[last] = _value(text, is_list=isinstance(tree[last], tuple | list))


def _conflicting(overrides: Sequence[str]) -> Iterator[str]:
    keys = [override.partition("=")[0] for override in overrides]
    for key in keys:
        if _OLD_WARMUP in keys and key in ("optim.policy_warmup_updates", "optim.critic_warmup_updates"):
            yield f"{_OLD_WARMUP} (in generations) and {key} (in optimizer steps) both set the warm-up; keep the second"


def _value(text: str, *, is_list: bool) -> Any:
    """The text as YAML, except that 1e-6 is a number and a list needs no brackets; a text in quotes is a text."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if isinstance(value, str) and not (text[0] == text[-1] and text[0] in "'\""):
        try:
            value = float(value)
        except ValueError:
            value = text
    if is_list and not isinstance(value, list):
        return [part.strip() for part in text.split(",")] if text.strip() else []
    return value


def _sentence(fault: Any) -> str:
    where, text = ".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, ")
    return f"{where} is {fault['input']!r}: {text[:1].lower()}{text[1:]}"


def _list_of(faults: list[str]) -> str:
    return f"{counted(len(faults), 'setting')} cannot work:\n" + "\n".join(f"  {fault}" for fault in faults)
