"""vLLM and transformers generate the same from a saved policy as from its base, whatever its generation config."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orz_bench.engines.engine import EngineSpec
from orz_rl.assets.resolve import TINY
from orz_rl.training.checkpoint import copy_tokenizer
from tests.integration.test_weight_sync import drawn
from tests.support.preloaded import FORKED
from tests.unit.orz_rl.workers.test_model_rank import a_rank, a_spec


def save_policy(base: Path, folder: Path) -> None:
    a_rank(a_spec(base)).save_model(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base that transformers would not write back, and a checkpoint of it."""
    folder = tmp_path_factory.mktemp("models")
    base, saved = folder / "base", folder / "saved"
    shutil.copytree(TINY, base)
    odd = {"do_sample": False, "temperature": 0.6, "eos_token_id": 0}
    (base / "generation_config.json").write_text(json.dumps(odd), "utf-8")
    # In a process of its own: DeepSpeed keeps a process group that an engine closed earlier in this one has destroyed.
    process = FORKED.Process(target=save_policy, args=(base, saved))
    process.start()
    process.join(1000)
    assert process.exitcode == 0
    copy_tokenizer(str(base), saved)
    return base, saved


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.parametrize("name", ["transformers", "vllm"])
def test_a_saved_policy_is_read_by_the_engines(name: Any, folders: tuple[Path, Path]) -> None:
    from orz_bench.engines.local import open_trained

    base, saved = folders
    spec = EngineSpec(name=name, checkpoint=str(base), dtype="float32", max_model_len=128, keep_tokens=True)
    found = []
    for checkpoint in (base, saved):
        with closing(open_trained(replace(spec, checkpoint=str(checkpoint)))) as engine:
            found.append(drawn(engine, spec))
    assert [completion.token_ids for completion in found[0]] == [completion.token_ids for completion in found[1]]
