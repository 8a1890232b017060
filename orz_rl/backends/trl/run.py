"""A run whose updates TRL makes: TRL's loop drives it, and tells it when to sample, to synchronise and to write."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orz_bench.environment import set_library_defaults
from orz_bench.errors import ConfigError
from orz_rl.backends.trl.mapping import arguments, is_rloo
from orz_rl.backends.trl.trace import Trace
from orz_rl.config import TrainConfig
from orz_rl.ppo.schedule import schedule
from orz_rl.rollout.collector import Collector
from orz_rl.rollout.problems import problems_at
from orz_rl.training.checkpoint import Checkpoints, SavedModel
from orz_rl.training.learner import NonFiniteError
from orz_rl.training.loop import Position, announce_resuming, open_recorders, with_samples
from orz_rl.training.preparation import Setup
from orz_rl.training.progress import Observer
from orz_rl.training.run_writer import RunWriter
from orz_rl.training.stopwatch import Stopwatch
from orz_rl.training.trial_checkpoint import try_checkpoint
from orz_rl.workers.disk_errors import raises_disk_errors
from orz_rl.workers.in_process import Done, LocalSampler
from orz_rl.workers.messages import ModelSpec
from orz_rl.workers.model_loading import load_model
from orz_rl.workers.weight_sync import HostWeights


def train(setup: Setup, observer: Observer, *, position: Position) -> None:
    """Train from a position to the last step. Raises OrzError as the native backend does."""
    set_library_defaults()
    with ExitStack() as stack:
        run = TrlRun(setup, observer, position=position, stack=stack)
        newest = position.newest
        if newest:
            announce_resuming(setup.run, newest.step, observer=observer)
        else:
            try_checkpoint(setup.run, run.learner, base=setup.policy)
            run.begun()
            run.writer.evaluate(0)
        state = Checkpoints(setup.run).path(newest.step) / "state" / "policy" if newest else None
        run.trainer.train(resume_from_checkpoint=None if state is None else str(state))


class TrlRun:
    """Engine, trainer and position of a run; the `steps` of its trainer, and what a RunWriter writes about."""

    def __init__(self, setup: Setup, observer: Observer, *, position: Position, stack: ExitStack) -> None:
        config, newest = setup.config, position.newest
        self._setup, self._observer, self._position = setup, observer, position
        self.policy_version = newest.policy_version if newest else 0
        self.cursor, self.beyond = newest.cursor if newest else 0, tuple[int, ...]()
        self._number = position.step
        recorders = open_recorders(setup, stack=stack, resumes_at=position.step)
        observer.notice("starting the model and the engine")
        self.trainer = open_trl(setup)
        self.trainer.steps = self
        self.sampler = stack.enter_context(closing(LocalSampler(setup.spec)))
        self.learner = _Saved({"policy": SavedPolicy(self.trainer, dtype=config.model.dtype)})
        self._collector = Collector(
            config,
            run=setup.run,
            engine=self.sampler,
            grader=recorders.grader,
            prompts=setup.prompts.prompts,
            reward=recorders.reward,
        )
        self.writer = RunWriter(setup, observer, trained=self, recorders=recorders)
        self._clock = Stopwatch()
        """Of the step that begins; TRL's loop, which reads its data set first, is inside."""

    def begun(self) -> None:
        """Give the engine the weights that training starts from."""
        self._synchronise(self.policy_version)
        self._clock = Stopwatch()

    def sampled(self, problems: Sequence[int]) -> Trace:
        """The rollouts of the next step."""
        self._number += 1
        with self._clock.phase("sample"):
            collection = self._collector.collect(
                self._number,
                policy_version=self.policy_version,
                cursor=self.cursor,
                on_committed=self._observer.sampled,
            )
        wanted = [self._setup.prompts.prompts[index].problem.problem_id for index in problems]
        assert list(dict.fromkeys(row.problem_id for row in collection.rollouts)) == wanted
        return Trace(self._setup.config, self._number, collection, self._clock)

    def updated(self, trace: Trace) -> None:
        """After the last update of a step: synchronise, and write what is due."""
        if len(trace.updates) < self._setup.config.optim.policy_updates:
            return
        self._clock.rest("update")
        with self._clock.phase("sync"):
            self._synchronise(self.policy_version + 1)
        self.cursor = trace.collection.cursor
        self._position.rows.append(self.writer.record(trace.report()))
        self.writer.conclude(self._position.rows)
        self._clock = Stopwatch()

    def not_finite(self, trace: Trace) -> Exception:
        """The update is stopped, and its rollouts are kept."""
        error = NonFiniteError("the policy's gradient is not finite", trace.members)
        return with_samples(error, trace.batch.rollouts, number=trace.number, run=self._setup.run)

    def models_on_device(self) -> nullcontext[None]:
        """They always are."""
        return nullcontext()

    def _synchronise(self, version: int) -> None:
        source = HostWeights.of(_weights(self.trainer.model, dtype=self._setup.config.model.dtype))
        self.sampler.load_weights({0: source}, version=version)
        self.policy_version = version


def open_trl(setup: Setup) -> Any:
    """The trainer for this configuration, with model, tokenizer, data, optimizer and schedule."""
    config = setup.config
    _require_one_device(config)
    trainers = import_trainers()
    model = load_model(_model_spec(config, setup.policy))
    require_padding(model, checkpoint=setup.policy)
    return trainers.open_trainer(
        is_rloo=is_rloo(config),
        arguments=arguments(config, output_dir=str(setup.run.path)),
        parts=trainers.Parts(model, _tokenizer(setup), _stream(setup), _optimizers(config, model)),
    )


def import_trainers() -> Any:
    """The module orz_rl.backends.trl.trainers, with which TRL is imported."""
    with _without_vllm(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that TRL imports and this backend does not use
        return import_module("orz_rl.backends.trl.trainers")


_PADDING = 5
_TOLERANCE = 1e-3


def require_padding(model: Any, *, checkpoint: str) -> None:
    """Raise ConfigError if padding on the left changes the model's outputs: TRL pads prompts and gives no positions."""
    ids = torch.arange(1, 9, device=model.device)[None] % model.config.vocab_size
    padding = torch.zeros_like(ids[:, :_PADDING])
    mask = torch.cat([padding, torch.ones_like(ids)], dim=1)
    with torch.no_grad():
        plain = model(input_ids=ids, use_cache=False).logits
        padded = model(input_ids=torch.cat([padding, ids], dim=1), attention_mask=mask, use_cache=False).logits
    moved = plain.float().log_softmax(dim=-1) - padded[:, _PADDING:].float().log_softmax(dim=-1)
    if float(moved.abs().max()) > _TOLERANCE:
        raise ConfigError(
            f"{checkpoint}: TRL pads prompts on the left without positions, which changes this model's "
            f"log-probabilities by up to {float(moved.abs().max()):.2g} (its positions are absolute). Use another "
            f"model, or --backend native."
        )


@contextmanager
def _without_vllm() -> Iterator[None]:
    """Let TRL take vLLM as not installed: it would import all of it, which takes seconds, for what is not used here."""
    is_loaded = "vllm" in sys.modules
    if not is_loaded:
        sys.modules["vllm"] = None  # type: ignore[assignment]  # to find_spec this is a module that is not there
    try:
        yield
    finally:
        if not is_loaded:
            del sys.modules["vllm"]


def _model_spec(config: TrainConfig, checkpoint: str) -> ModelSpec:
    """As the native backend loads it, but with plain attention, and in float32: TRL computes bfloat16 by autocast."""
    packed = config.model.attention == "packed_sdpa"
    return ModelSpec(
        role="policy",
        checkpoint=checkpoint,
        seed=config.seed,
        dtype="float32",
        device=config.cluster.device,
        attention="sdpa" if packed else config.model.attention,
        gradient_checkpointing=False,  # TRL switches it on
        value_head_init=config.model.value_head_init,
        zero_stage=0,
        offload_optimizer=False,
        betas=config.optim.betas,
        weight_decay=config.optim.weight_decay,
        max_grad_norm=config.optim.max_grad_norm,
        temperature=config.rollout.temperature,
    )


def _optimizers(config: TrainConfig, model: Any) -> tuple[Any, Any]:
    """AdamW on every weight and the rate of every update, as the native backend has them."""
    optim = config.optim
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=optim.policy_lr, betas=optim.betas, weight_decay=optim.weight_decay
    )

    def rate(updates: int) -> float:
        (found,) = schedule(
            [updates + 1],
            peak=optim.policy_lr,
            warmup=optim.policy_warmup_updates,
            final=optim.final_lr,
            total=config.num_steps * optim.policy_updates,
        )
        return found / optim.policy_lr

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, rate)


def _tokenizer(setup: Setup) -> Any:
    """TRL decodes with it and pads with its padding token, which the attention mask hides."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(setup.policy)
    if tokenizer.pad_token_id is None and tokenizer.eos_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def _stream(setup: Setup) -> Any:
    """The problems of all steps in their order, as the data set of one epoch; each text is stored once."""
    from datasets import Dataset

    config, prompts = setup.config, setup.prompts.prompts
    per_step = config.rollout.num_problems
    order = problems_at(len(prompts), start=0, count=config.num_steps * per_step, seed=config.seed, step_size=per_step)
    rows = {"prompt": [prompt.text for prompt in prompts], "problem": list(range(len(prompts)))}
    return Dataset.from_dict(rows).select(order)


def _require_one_device(config: TrainConfig) -> None:
    if config.cluster.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("cluster.device is cuda, but this machine has no GPU; set cluster.device=cpu.")
    if config.cluster.device == "cuda" and torch.cuda.device_count() > 1:
        raise ConfigError(
            f"the backend trl trains on one GPU, but {torch.cuda.device_count()} are visible; set "
            f"CUDA_VISIBLE_DEVICES to one of them."
        )


def _weights(model: Any, *, dtype: str) -> Iterator[tuple[str, Tensor]]:
    """Every weight with its Hugging Face name, a tied output layer included, in the type of the checkpoints."""
    named = dict(model.named_parameters())
    if model.config.tie_word_embeddings:
        named["lm_head.weight"] = model.get_output_embeddings().weight
    for name, parameter in named.items():
        yield name, parameter.detach().to(getattr(torch, dtype))


@dataclass(frozen=True, slots=True)
class SavedPolicy:
    """The policy inside a trainer of TRL, as checkpoints save it."""

    trainer: Any
    dtype: str

    def save_model(self, folder: Path) -> Done:
        """Write a Hugging Face checkpoint."""
        model = self.trainer.model
        state = {name: tensor.to("cpu", copy=True) for name, tensor in _weights(model, dtype=self.dtype)}
        with raises_disk_errors(folder):
            model.save_pretrained(folder, state_dict=state)
            config = folder / "config.json"
            facts = json.loads(config.read_text(encoding="utf-8")) | {"dtype": self.dtype}
            config.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        return Done(None)

    def save_state(self, folder: Path) -> Done:
        """Write what `Trainer.train(resume_from_checkpoint=folder)` reads."""
        with raises_disk_errors(folder):
            self.trainer.save_state_to(folder)
        return Done(None)


@dataclass(frozen=True, slots=True)
class _Saved:
    groups: Mapping[str, SavedModel]
