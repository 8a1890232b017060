"""One rank of a model on a DeepSpeed engine: forward passes, optimiser steps, weights, and state to disk and back.

It decides nothing: packs come with weights that make the losses of all packs and ranks add up to the loss of the batch.
ZeRO over NCCL and copies between GPU and host are written but have never been run on a GPU.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import deepspeed
import torch
import torch.distributed as dist
from torch import Tensor

from orz_bench.errors import EngineError, RunDirError
from orz_rl.config import REDUCE_BUCKET
from orz_rl.ppo.packed_forward import response_logprobs, response_top_tokens, response_values
from orz_rl.ppo.packs import Pack, PackSlice
from orz_rl.workers.cpu_memory import keep_freed_memory
from orz_rl.workers.disk_errors import raises_disk_errors
from orz_rl.workers.host_copies import HostCopies
from orz_rl.workers.loaded_state import use_own_settings
from orz_rl.workers.messages import CriticPack, ModelSpec, NonFinite, PolicyPack, PolicyTerms, Update
from orz_rl.workers.model_loading import load_model
from orz_rl.workers.pack_check import check_packs
from orz_rl.workers.pack_loss import PackLoss, critic_pack_loss, policy_pack_loss
from orz_rl.workers.weight_sync import Buckets, fill_buckets, plan_buckets, type_name

ENVIRONMENT = {"LOCAL_RANK": "0"}
"""Environment that DeepSpeed reads whenever a rank computes: each process sees one device."""


class ModelRank:
    """Rank `rank` of `num_ranks` that share a model; the caller sets ENVIRONMENT."""

    def __init__(self, spec: ModelSpec, *, rank: int, num_ranks: int, rendezvous: str) -> None:
        """`rendezvous` is `tcp://HOST:PORT` of rank 0."""
        self._spec = spec
        self._device = torch.device("cuda", 0) if spec.device == "cuda" else torch.device("cpu")
        if spec.device == "cpu":
            keep_freed_memory()
        _join(
            rank=rank, num_ranks=num_ranks, rendezvous=rendezvous, backend="nccl" if spec.device == "cuda" else "gloo"
        )
        self._num_ranks = num_ranks
        model = load_model(spec)
        settings = _deepspeed_settings(
            spec, num_parameters=sum(p.numel() for p in model.parameters()), hidden=model.config.hidden_size
        )
        if spec.zero_stage == 3:
            _partition(model, settings, spec=spec, device=self._device)
        if spec.role == "reference":
            self._engine, *_ = deepspeed.initialize(model=model, config=settings)
            self._host_copies = HostCopies(self._engine, self._device)
            return
        optimiser = torch.optim.AdamW(
            model.parameters(),
            lr=1.0,  # set before every step
            betas=spec.betas,
            weight_decay=spec.weight_decay,
            fused=spec.device == "cuda" and not spec.offload_optimizer,
        )
        self._engine, *_ = deepspeed.initialize(model=model, optimizer=optimiser, config=settings)
        self._watch = _GradientWatch(self._engine.module)
        self._host_copies = HostCopies(self._engine, self._device)

    def check_packs(self, *, max_tokens: int, share_prompts: bool) -> None:
        """Raise ConfigError if packing changes this model's outputs. A collective."""
        check_packs(self._engine, spec=self._spec, max_tokens=max_tokens, share_prompts=share_prompts)

    def logprobs(self, packs: Sequence[Pack | PackSlice]) -> list[Tensor]:
        """Log-probabilities of the response tokens of each pack, under the present weights."""
        return self._forward(
            packs, lambda pack: response_logprobs(self._engine, pack, temperature=self._spec.temperature)
        )

    def top_tokens(self, packs: Sequence[Pack | PackSlice], *, top_k: int) -> list[Tensor]:
        """The most probable tokens in the place of each response token of each pack: TopTokens.packed()."""
        temperature = self._spec.temperature
        return self._forward(
            packs,
            lambda pack: response_top_tokens(self._engine, pack, top_k=top_k, temperature=temperature).packed(),
        )

    def values(self, packs: Sequence[Pack | PackSlice]) -> list[Tensor]:
        """The critic's values before the response tokens of each pack."""
        return self._forward(packs, lambda pack: response_values(self._engine, pack))

    def update_policy(
        self, batches: Sequence[Sequence[PolicyPack]], *, lr: float | Sequence[float], terms: PolicyTerms
    ) -> list[Update] | NonFinite:
        """One optimiser step per batch, at one rate for all or one for each. Ranks need equally many packs."""
        temperature = self._spec.temperature

        def loss(item: PolicyPack) -> PackLoss:
            return policy_pack_loss(self._engine, item, terms=terms, temperature=temperature)

        return self._update(batches, loss, lr=lr)

    def update_critic(
        self, batches: Sequence[Sequence[CriticPack]], *, lr: float | Sequence[float], clip: float | None
    ) -> list[Update] | NonFinite:
        """One optimiser step per batch, at one rate for all or one for each. Ranks need equally many packs."""

        def loss(item: CriticPack) -> PackLoss:
            return critic_pack_loss(self._engine, item, clip=clip)

        return self._update(batches, loss, lr=lr)

    @property
    def engine(self) -> Any:
        """The DeepSpeed engine."""
        return self._engine

    def parameters(self) -> Iterator[tuple[str, Any]]:
        """This rank's share of every parameter, by its name."""
        yield from self._engine.module.named_parameters()

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Every full weight with its Hugging Face name. A collective: all ranks must exhaust it.

        A tied output layer is included, because an engine that stores it separately would keep the old one.
        """
        model = self._engine.module
        for name, parameter in model.named_parameters():
            with self._gathered([parameter]):
                yield name, parameter.detach()
        if self._has_tied_head:
            head = model.get_output_embeddings().weight
            with self._gathered([head]):
                yield "lm_head.weight", head.detach()

    def buckets(self) -> Buckets:
        """The layout in which bucket_bytes() packs weights()."""
        model = self._engine.module
        named = dict(model.named_parameters())
        if self._has_tied_head:
            named["lm_head.weight"] = model.get_output_embeddings().weight
        return plan_buckets((name, tuple(getattr(p, "ds_shape", p.shape)), type_name(p)) for name, p in named.items())

    def bucket_bytes(self) -> Iterator[Tensor]:
        """The bytes of all weights, bucket by bucket. A collective: all ranks must exhaust it."""
        return fill_buckets(self.buckets(), self.weights())

    def save_model(self, folder: Path) -> None:
        """Write a Hugging Face checkpoint. A collective."""
        state = {name: tensor.to("cpu", copy=True) for name, tensor in self.weights()}
        if dist.get_rank() == 0:
            with raises_disk_errors(folder):
                self._engine.module.save_pretrained(folder, state_dict=state)
        dist.barrier()

    def save_state(self, folder: Path) -> None:
        """Write the whole training state (weights, optimiser). A collective."""
        with raises_disk_errors(folder):
            self._engine.save_checkpoint(str(folder), tag="state")

    def load_state(self, folder: Path) -> None:
        """Load what save_state() wrote with the same number of ranks. A collective."""
        path, _ = self._engine.load_checkpoint(str(folder), tag="state")
        if path is None:
            raise RunDirError(f"{folder}: has no training state; move its checkpoint away to use an earlier one.")
        use_own_settings(self._engine.optimizer, self._spec)

    def offload(self) -> int:
        """Release the device between phases: everything goes to the host. Returns the bytes that were freed."""
        return int(self._host_copies.offload())

    def reload(self) -> None:
        """Load what offload() moved to the host."""
        self._host_copies.reload()

    def num_bytes(self) -> dict[str, int]:
        """Bytes of this rank's weights, gradients and optimiser state, which `orz-rl plan` estimates."""
        parameters = list(self._engine.module.parameters())
        state = [
            tensor
            for values in self._engine.optimizer.state.values()
            for tensor in values.values()
            if isinstance(tensor, Tensor) and tensor.dim() > 0
        ]
        return {
            "weights": sum(p.numel() * p.element_size() for p in parameters),
            "gradients": sum(p.grad.numel() * p.grad.element_size() for p in parameters if p.grad is not None),
            "optimizer": sum(t.numel() * t.element_size() for t in state),
        }

    @property
    def _has_tied_head(self) -> bool:
        return bool(self._spec.role == "policy" and self._engine.module.config.tie_word_embeddings)

    def _forward(self, packs: Sequence[Pack | PackSlice], score: Callable[[Pack], Tensor]) -> list[Tensor]:
        self._engine.eval()
        with torch.no_grad():
            scores = [score(pack.to(self._device)).cpu() for pack in packs]
        if not all(bool(torch.isfinite(found).all()) for found in scores):
            raise EngineError(
                f"the {self._spec.role} is broken: its outputs are not finite (NaN or infinity) even before the "
                "update. "
                f"Start from a sound checkpoint, or from an earlier one with a new --out."
            )
        return scores

    def _update(
        self, batches: Sequence[Sequence[Any]], loss: Callable[[Any], PackLoss], *, lr: float | Sequence[float]
    ) -> list[Update] | NonFinite:
        self._engine.train()
        rates = lr[: len(batches)] if isinstance(lr, Sequence) else [lr] * len(batches)
        updates = []
        for number, (items, rate) in enumerate(zip(batches, rates, strict=True)):
            for group in self._engine.optimizer.param_groups:
                group["lr"] = rate
            outcome = self._optimiser_step(items, loss)
            if isinstance(outcome, _Fault):
                return NonFinite(number, outcome.pack, outcome.what)
            updates.append(outcome)
        return updates

    def _optimiser_step(self, items: Sequence[Any], loss: Callable[[Any], PackLoss]) -> Update | _Fault:
        losses: list[PackLoss] = []
        fault = _Fault(None, "")
        self._watch.start()
        for index, item in enumerate(items):
            found = loss(_moved(item, self._device))
            self._engine.set_gradient_accumulation_boundary(index == len(items) - 1)
            # DeepSpeed averages gradients over ranks, but the losses of all ranks add up to one.
            self._engine.backward(found.total * self._num_ranks)
            losses.append(found)
            what = _non_finite_part(found, self._watch)
            if what and not fault.what:
                fault = _Fault(index, what)
        if self._anywhere(bool(fault.what)):
            return fault
        norm = self._step()
        return Update(
            loss=sum(float(found.total.detach()) for found in losses),
            clipped=sum(float(found.clipped) for found in losses),
            kl_loss=sum(float(found.kl) for found in losses),
            positive_nll=sum(float(found.nll) for found in losses),
            grad_norm=norm,
            logprobs=[found.outputs_R.cpu() for found in losses],
            entropies=[found.entropy_R.cpu() for found in losses],
        )

    def _step(self) -> float:
        """Step the optimiser; returns the norm of the gradient before clipping."""
        norm = None
        if self._spec.zero_stage == 0:
            norm = torch.nn.utils.get_total_norm(
                [p.grad for p in self._engine.module.parameters() if p.grad is not None]
            )
        self._engine.step()
        return float(self._engine.get_global_grad_norm() if norm is None else norm)

    def _anywhere(self, flag: bool) -> bool:  # noqa: FBT001 - a collective of one value
        shared = torch.tensor(float(flag), device=self._device)
        dist.all_reduce(shared, op=dist.ReduceOp.MAX)
        return bool(shared.item())

    def _gathered(self, parameters: list[Any]) -> Any:
        if self._spec.zero_stage < 3:
            return contextlib.nullcontext()
        return deepspeed.zero.GatheredParameters(parameters)


class _Fault(NamedTuple):
    pack: int | None
    what: str


class _GradientWatch:
    """Observes every gradient when it is computed, before ranks are reduced, and records whether all were finite."""

    def __init__(self, model: Any) -> None:
        self._sum: Tensor | float = 0.0
        for parameter in model.parameters():
            parameter.register_hook(self._see)

    def start(self) -> None:
        """Forget earlier gradients."""
        self._sum = 0.0

    def is_finite(self) -> bool:
        """Whether all gradients since start() were finite."""
        return math.isfinite(float(self._sum))

    def _see(self, gradient: Tensor) -> None:
        self._sum = self._sum + gradient.detach().float().sum()


def _non_finite_part(found: PackLoss, watch: _GradientWatch) -> str:
    if not math.isfinite(float(found.total.detach())):
        return f"loss ({float(found.total.detach())})"
    return "" if watch.is_finite() else "gradient"


def _moved(item: Any, device: torch.device) -> Any:
    """The item with its pack opened and everything on the device."""
    values = {name: getattr(item, name) for name in item.__dataclass_fields__}
    on_device = {n: v.to(device) for n, v in values.items() if isinstance(v, Tensor | Pack | PackSlice)}
    return type(item)(**values | on_device)


def _join(*, rank: int, num_ranks: int, rendezvous: str, backend: str) -> None:
    # Building this operator takes a minute and then stalls; gloo works without it. DeepSpeed would also build it for a
    # group that another library, such as vLLM, has made.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    if dist.is_initialized():
        return
    # DeepSpeed keeps its copy of a world that another library has destroyed, as vLLM does when an engine is closed.
    deepspeed.utils.groups._WORLD_GROUP = None  # noqa: SLF001 - nothing public resets it
    deepspeed.init_distributed(
        dist_backend=backend,
        init_method=rendezvous,
        rank=rank,
        world_size=num_ranks,
        auto_mpi_discovery=False,
        verbose=False,
    )


def _deepspeed_settings(spec: ModelSpec, *, num_parameters: int, hidden: int) -> dict[str, Any]:
    zero: dict[str, Any] = {
        "stage": spec.zero_stage if spec.role != "reference" or spec.zero_stage == 3 else 0,
        # DeepSpeed allocates a buffer of this many elements, however small the model.
        "reduce_bucket_size": min(REDUCE_BUCKET, num_parameters),
        # Norms and biases stay complete on every rank; matrices do not.
        "stage3_param_persistence_threshold": 10 * hidden,
    }
    if spec.offload_optimizer and spec.role != "reference":
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": spec.device == "cuda"}
    settings: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": spec.max_grad_norm,
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 10**12,
        "wall_clock_breakdown": False,
    }
    if spec.dtype == "bfloat16":
        settings |= {"bf16": {"enabled": True}, "data_types": {"grad_accum_dtype": "fp32"}}
    return settings


def _partition(model: Any, settings: dict[str, Any], *, spec: ModelSpec, device: torch.device) -> None:
    """Move each parameter to the device and keep this rank's share, before the next: the whole is never there."""
    deepspeed.zero.Init(module=model, config_dict_or_path=settings, dtype=getattr(torch, spec.dtype))
    for buffer in model.buffers():
        buffer.data = buffer.data.to(device)
