"""Group runs that are one experiment with several seeds, and find the settings in which experiments differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis.curves.study import Group, Study

_SECTIONS_WITHOUT_EFFECT = ("logging", "checkpoint", "eval", "cluster")
_LEAVES_WITHOUT_EFFECT = ("seed", "num_steps", "out", "command", "num_grading_workers")
Leaves = Mapping[str, str]


def group_studies(studies: Sequence[Study]) -> list[Group]:
    """Groups of runs with the same settings up to the seed, in order of appearance.

    A label names the settings that differ (`lam=0.95`), or is the run's name if none differ or no settings are known.
    Two runs with the same seed and settings are not replicates: each has a group of its own.
    """
    by_key: dict[str, list[Study]] = {}
    for study in studies:
        by_key.setdefault(_key(study, by_key), []).append(study)
    members = list(by_key.values())
    differing = differing_leaves([leaves_of(group[0]) for group in members])
    labels = [_label(group, differing) for group in members]
    unique = [
        label if labels.count(label) == 1 else f"{label} ({group[0].run.name})"
        for label, group in zip(labels, members, strict=True)
    ]
    return [Group(label=label, studies=tuple(group)) for label, group in zip(unique, members, strict=True)]


def leaves_of(study: Study) -> dict[str, str]:
    """The settings that affect results, by dotted name, as JSON."""
    return {
        name: json.dumps(value)
        for name, value in _walk(study.run.config)
        if name.partition(".")[0] not in _SECTIONS_WITHOUT_EFFECT and name not in _LEAVES_WITHOUT_EFFECT
    }


def differing_leaves(all_leaves: Sequence[Leaves]) -> tuple[str, ...]:
    """Names of the settings that differ."""
    names = dict.fromkeys(name for leaves in all_leaves for name in leaves)
    return tuple(name for name in names if len({leaves.get(name) for leaves in all_leaves}) > 1)


def _walk(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _walk(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _key(study: Study, taken: Mapping[str, list[Study]]) -> str:
    leaves = leaves_of(study)
    if not leaves or study.run.kind != "train":
        return study.run.name
    key = json.dumps(leaves, sort_keys=True)
    is_repeated = any(other.run.seed == study.run.seed for other in taken.get(key, []))
    return study.run.name if is_repeated else key


def _label(group: Sequence[Study], differing: Sequence[str]) -> str:
    leaves = leaves_of(group[0])
    if not differing or not leaves or len(differing) > 3:
        return group[0].run.name
    last = [name.rpartition(".")[2] for name in differing]
    names = [short if last.count(short) == 1 else full for short, full in zip(last, differing, strict=True)]
    return ", ".join(f"{short}={_shown(leaves.get(full))}" for short, full in zip(names, differing, strict=True))


def _shown(value: str | None) -> str:
    return "unset" if value is None else value.replace('"', "")
