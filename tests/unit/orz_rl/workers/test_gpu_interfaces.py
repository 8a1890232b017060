"""Every call into code that only a GPU runs fits the signatures and the source of the installed packages.

Calls are found in our source, so a new one is checked, too; a release of a package that changes one fails here.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.guards.tree import PROJECT
from tests.support.foreign_sources import (
    NoSuchNameError,
    OurCall,
    assigned,
    calls_in,
    constants_in,
    definition,
    dotted,
    fields_of,
    signature,
    tree_of,
)

VLLM = "orz_bench/engines/vllm/engine.py"
DRAWING = "orz_bench/engines/vllm/drawing.py"
LIKELIHOOD = "orz_bench/engines/vllm/likelihood.py"
LOADER = "orz_bench/engines/vllm/weights.py"
RANK = "orz_rl/workers/model_rank.py"
SYNC = "orz_rl/workers/weight_sync.py"
ACTOR = "orz_rl/workers/model_actor.py"
LLM = "vllm.entrypoints.llm"
ENGINE = "vllm.v1.engine.llm_engine"
C10D = "torch._C._distributed_c10d"

RECEIVERS: dict[tuple[str, str], tuple[str, str]] = {
    (VLLM, "self._llm"): (LLM, "LLM"),
    (VLLM, "self._llm.llm_engine"): (ENGINE, "LLMEngine"),
    (VLLM, "engine"): (ENGINE, "LLMEngine"),
    (VLLM, "llm.llm_engine.engine_core"): ("vllm.v1.engine.core_client", "EngineCoreClient"),
    (DRAWING, "self._llm_engine"): (ENGINE, "LLMEngine"),
    (LIKELIHOOD, "engine"): (ENGINE, "LLMEngine"),
    (RANK, "deepspeed"): ("deepspeed", ""),
    (RANK, "deepspeed.zero"): ("deepspeed.runtime.zero.partition_parameters", ""),
    (RANK, "self._engine"): ("deepspeed.runtime.engine", "DeepSpeedEngine"),
    (SYNC, "torch.distributed"): (C10D, ""),
    (SYNC, "torch.distributed.ProcessGroupNCCL"): (C10D, "ProcessGroupNCCL"),
    (SYNC, "group"): (C10D, "ProcessGroup"),
}
"""(file, expression) -> (module, class) of what it is; without a class, the module's own names."""
IMPORTED: dict[tuple[str, str], tuple[str, str]] = {
    (VLLM, "LLM"): (LLM, "LLM"),
    (VLLM, "SamplingParams"): ("vllm.sampling_params", "SamplingParams"),
    (LIKELIHOOD, "SamplingParams"): ("vllm.sampling_params", "SamplingParams"),
    (VLLM, "cleanup_dist_env_and_memory"): ("vllm.distributed.parallel_state", "cleanup_dist_env_and_memory"),
    (ACTOR, "TCPStore"): (C10D, "TCPStore"),
}
"""(file, name) -> (module, name) of what our source imports."""
PACKAGES = ("vllm", "deepspeed")


def checked_calls() -> Iterator[tuple[OurCall, str, str]]:
    for file in sorted({file for file, _ in (*RECEIVERS, *IMPORTED)}):
        for call in calls_in(file):
            if (target := RECEIVERS.get((file, call.receiver))) is not None:
                module, owner = target
                yield call, module, f"{owner}.{call.method}" if owner else call.method
            elif not call.receiver and (target := IMPORTED.get((file, call.method))) is not None:
                yield call, *target


CALLS = list(checked_calls())


@pytest.mark.parametrize(("call", "module", "name"), CALLS, ids=[f"{call.place}-{name}" for call, _, name in CALLS])
def test_a_call_fits_the_installed_signature(call: OurCall, module: str, name: str) -> None:
    require_fit(call, module, name)


def require_fit(call: OurCall, module: str, name: str) -> None:
    wanted = signature(module, name)
    bind = wanted.bind if call.is_complete else wanted.bind_partial
    bind(*range(call.num_positional), **dict.fromkeys(call.keywords))


def test_what_no_longer_fits_is_found() -> None:
    for call, module, name in CALLS:
        with pytest.raises(NoSuchNameError):
            require_fit(call, module, f"{name}_of_yesterday")
        kinds = {each.kind for each in signature(module, name).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            with pytest.raises(TypeError):
                require_fit(replace(call, keywords=(*call.keywords, "of_yesterday")), module, name)
        if inspect.Parameter.VAR_POSITIONAL not in kinds:
            with pytest.raises(TypeError):
                require_fit(replace(call, num_positional=99), module, name)


def test_every_receiver_is_called_and_the_important_ones_are_among_them() -> None:
    receivers = {(call.place.partition(":")[0], call.receiver) for call, _, _ in CALLS}
    assert set(RECEIVERS) <= receivers
    named = {name for _, _, name in CALLS}
    assert {"LLM.sleep", "LLM.wake_up", "LLM.collective_rpc", "ProcessGroupNCCL", "GatheredParameters"} <= named


NOT_CALLED = ("RequestOutputKind", "LogitsProcessor")
"""An enum, and a class that is inherited from."""


def test_no_call_of_these_packages_is_left_out() -> None:
    """A new import from vllm or DeepSpeed must be added above; every name that is imported exists."""
    for path in (*(PROJECT / "orz_rl").rglob("*.py"), *(PROJECT / "orz_bench" / "engines").rglob("*.py")):
        file, tree = path.relative_to(PROJECT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
        for module, name in imported_names(tree):
            definition(module, name)
            assert (file, name) in IMPORTED or name in NOT_CALLED, f"{file}: {name}"
        whole = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert not set(whole) & set(PACKAGES) or (file, "deepspeed") in RECEIVERS, file


def imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name) of what is imported from these packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            yield from ((str(node.module), alias.name) for alias in node.names)


def settings_of(file: str, *, variable: str) -> set[str]:
    """The keys of dictionaries that are assigned or added to a variable."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PROJECT / file).read_text(encoding="utf-8"))):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(value, ast.Dict) and any(isinstance(t, ast.Name) and t.id == variable for t in targets):
            found |= {str(key.value) for key in value.keys if isinstance(key, ast.Constant)}
    return found


def test_settings_of_the_engine_exist() -> None:
    known = {*signature(LLM, "LLM").parameters, *fields_of(definition("vllm.engine.arg_utils", "EngineArgs"))}  # type: ignore[arg-type]
    wanted = settings_of(VLLM, variable="settings")
    assert {"enable_sleep_mode", "worker_extension_cls", "tensor_parallel_size", "gpu_memory_utilization"} <= wanted
    assert wanted <= known


def test_settings_of_deepspeed_exist() -> None:
    zero = definition("deepspeed.runtime.zero.config", "DeepSpeedZeroConfig")
    assert isinstance(zero, ast.ClassDef)
    aliases = {
        text
        for node in ast.walk(zero)
        if isinstance(node, ast.keyword) and node.arg == "alias"
        for text in constants_in(node)
    }
    wanted = settings_of(RANK, variable="zero")
    assert {"stage", "reduce_bucket_size", "stage3_param_persistence_threshold"} <= wanted
    assert wanted <= {*fields_of(zero), *aliases}
    sources = ["deepspeed.runtime.constants", "deepspeed.runtime.zero.config", "deepspeed.runtime.config"]
    known = set().union(*(constants_in(tree_of(source)) for source in sources))
    assert settings_of(RANK, variable="settings") <= known


def tags_and_levels() -> tuple[list[str], set[int]]:
    tags: list[str] = []
    levels: set[int] = set()
    for node in ast.walk(ast.parse((PROJECT / VLLM).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and dotted(node.func) == "self._llm.wake_up":
            tags += [text for keyword in node.keywords if keyword.arg == "tags" for text in constants_in(keyword)]
        if isinstance(node, ast.Call) and dotted(node.func) == "self._llm.sleep":
            levels |= {k.value.value for k in node.keywords if k.arg == "level"}  # type: ignore[attr-defined]
    return tags, levels


def test_waking_wakes_everything_that_sleeping_put_to_sleep() -> None:
    """The scheduler goes on only when no tag sleeps, and memory with another tag must always come back."""
    tags, levels = tags_and_levels()
    assert set(tags) == constants_in(assigned("vllm.v1.executor.abstract", "SLEEP_TAGS"))
    assert set(tags) == constants_in(assigned("vllm.device_allocator", "DEFERRABLE_TAGS"))
    worker = definition("vllm.v1.worker.gpu_worker", "Worker")
    pools = {
        text
        for node in ast.walk(worker)
        if isinstance(node, ast.Call) and dotted(node.func) == "self._maybe_get_memory_pool_context"
        for text in constants_in(node)
    }
    assert set(tags) <= pools
    compared = {
        each.comparators[0].value  # type: ignore[attr-defined]
        for each in ast.walk(definition("vllm.v1.worker.gpu_worker", "Worker.sleep"))
        if isinstance(each, ast.Compare) and dotted(each.left) == "level"
    }
    assert levels == {2}
    assert levels <= compared


def test_the_worker_extension_fits_every_worker() -> None:
    """vLLM refuses an extension whose names a worker has; what ours uses of the worker has to be there."""
    ours = next(
        node
        for node in ast.walk(ast.parse((PROJECT / LOADER).read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    methods = {each.name for each in ours.body if isinstance(each, ast.FunctionDef)}
    called = {
        node.args[0].value  # type: ignore[attr-defined]
        for node in ast.walk(ast.parse((PROJECT / VLLM).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and dotted(node.func) == "self._llm.collective_rpc"
    }
    assert called == methods
    for module, name in (("vllm.v1.worker.gpu_worker", "Worker"), ("vllm.v1.worker.cpu_worker", "CPUWorker")):
        worker = definition(module, name)
        assert isinstance(worker, ast.ClassDef)
        assert not methods & {each.name for each in worker.body if isinstance(each, ast.FunctionDef)}
        assert isinstance(definition(module, f"{name}.reload_weights"), ast.FunctionDef)
    assert "self.device" in {dotted(node) for node in ast.walk(tree_of("vllm.v1.worker.gpu_worker"))}
    (reload,) = [call for call in calls_in(LOADER) if call.method == "reload_weights"]
    for runner in ("vllm.v1.worker.gpu_model_runner", "vllm.v1.worker.gpu.model_runner"):
        signature(runner, "GPUModelRunner.reload_weights").bind(**dict.fromkeys(reload.keywords))


def test_a_cuda_handle_is_rebuilt_from_what_is_sent() -> None:
    """Buckets go to another process by ForkingPickler, with torch's reduction of a CUDA tensor."""
    reductions = "torch.multiprocessing.reductions"
    rebuild = signature(reductions, "rebuild_cuda_tensor")
    (sent,) = [
        node.value.elts[1]
        for node in ast.walk(definition(reductions, "reduce_tensor"))
        if isinstance(node, ast.Return)
        and isinstance(node.value, ast.Tuple)
        and dotted(node.value.elts[0]) == "rebuild_cuda_tensor"
    ]
    assert isinstance(sent, ast.Tuple)
    rebuild.bind(*sent.elts)
    assert {"register"} <= {
        call.func.attr for call in _calls(tree_of(reductions)) if isinstance(call.func, ast.Attribute)
    }
    assert {dotted(call.func) for call in _calls(definition(reductions, "rebuild_cuda_tensor"))} >= {
        "storage_cls._new_shared_cuda"
    }
    assert "ForkingPickler.dumps" in {
        dotted(call.func) for call in _calls(ast.parse((PROJECT / SYNC).read_text("utf-8")))
    }


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_a_group_takes_a_time_limit_from_its_options() -> None:
    """The only way to give NCCL one: an attribute of the options."""
    setter = [
        each
        for each in definition(C10D, "Backend.Options").body
        if isinstance(each, ast.FunctionDef) and each.name == "_timeout"
    ]
    assert [ast.unparse(mark) for each in setter for mark in each.decorator_list] == ["property", "_timeout.setter"]
    assert [dotted(base) for base in definition(C10D, "ProcessGroupNCCL.Options").bases] == ["Backend.Options"]  # type: ignore[union-attr]


def test_flash_attention_gets_what_its_varlen_functions_take() -> None:
    """transformers passes our lengths on, under its own names, to the functions of flash-attn."""
    import torch

    from orz_rl.ppo.packed_attention import Keys
    from orz_rl.ppo.packs import Lengths

    flash = "transformers.modeling_flash_attention_utils"
    keys = Keys([Lengths(2, (1,)), Lengths(1, (3,))], torch.device("cpu"))
    assert keys.place_K is None
    ends = keys.options["cu_seq_lens_q"]
    assert isinstance(ends, torch.Tensor)
    assert (ends.tolist(), ends.dtype) == ([0, 3, 7], torch.int32)
    assert keys.options["max_length_q"] == 4
    ours = set(keys.options)
    kwargs = definition(flash, "FlashAttentionKwargs")
    assert isinstance(kwargs, ast.ClassDef)
    assert ours <= set(fields_of(kwargs))
    forward = definition(flash, "_flash_attention_forward")
    assert ours <= set(signature(flash, "_flash_attention_forward").parameters)
    packed = [call for call in _calls(forward) if dotted(call.func) == "flash_varlen_fn"]
    passed = {keyword.arg for call in packed for keyword in call.keywords if keyword.arg}
    assert passed == {"cu_seqlens_q", "cu_seqlens_k"}
    # vLLM carries the functions of flash-attn.
    varlen = signature("vllm.vllm_flash_attn.flash_attn_interface", "flash_attn_varlen_func")
    assert {*passed, "max_seqlen_q", "max_seqlen_k", "causal", "softmax_scale"} <= set(varlen.parameters)
    order = [
        name for name in varlen.parameters if varlen.parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert order[:3] == ["q", "k", "v"]
