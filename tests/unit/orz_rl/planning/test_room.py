"""What cannot fit is said before anything starts, with what would help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_rl.assets.resolve import TINY
from orz_rl.planning.room import require_room, room_gib
from orz_rl.recipes.registry import resolve


def a_checkpoint(folder: Path, **changes: object) -> str:
    settings = json.loads((TINY / "config.json").read_text(encoding="utf-8")) | changes
    (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    return str(folder)


def test_a_vocabulary_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    config, small = resolve("tiny"), str(TINY)
    require_room(config, policy=small, critic=small, memory_gib=2)
    large = a_checkpoint(tmp_path, vocab_size=50_000_000)
    with pytest.raises(ConfigError, match=r"needs at least .* GiB of memory, .* vocabulary of 50,000,000 .* has 2\.0"):
        require_room(config, policy=large, critic=large, memory_gib=2)


def test_a_pack_that_does_not_fit_is_refused_with_remedies() -> None:
    config = resolve("orz_7b", overrides=["cluster.pack_tokens=200000"])
    policy = config.model.policy
    require_room(config, policy=policy, critic=policy, memory_gib=400)
    with pytest.raises(ConfigError, match=r"on each GPU, .* cluster\.pack_tokens=200,000 .*") as found:
        require_room(config, policy=policy, critic=policy, memory_gib=80)
    assert "\n  cluster.pack_tokens=" in str(found.value)


def test_what_is_unknown_is_not_refused(tmp_path: Path) -> None:
    config = resolve("tiny")
    require_room(config, policy=str(tmp_path), critic=str(tmp_path), memory_gib=0.001)
    require_room(config, policy=str(TINY), critic=str(TINY), memory_gib=None)
    assert (room_gib(config) or 0) > 0.5
