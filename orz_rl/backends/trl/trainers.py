"""TRL's trainers with our rollouts in place of their generation, and with what they compute made visible.

TRL's own generation keeps no stop string (its call of `generate` passes no tokenizer), returns no log-probabilities,
and draws from one global generator. So the two methods that turn prompts into tokens are replaced, in the place where
TRL itself chooses between vLLM and transformers. Rewards, advantages, losses, gradients and optimizer steps are TRL's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from transformers import PrinterCallback, TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from orz_rl.backends.trl.trace import Trace

if TYPE_CHECKING:
    _Trainer = GRPOTrainer
else:
    _Trainer = object


class Steps(Protocol):
    """What surrounds the trainer."""

    def begun(self) -> None:
        """The weights are those that training starts from."""
        ...

    def sampled(self, problems: Sequence[int]) -> Trace:
        """The rollouts of the next step, which is to be trained on the problems at these places."""
        ...

    def updated(self, trace: Trace) -> None:
        """An optimizer step has been made."""
        ...

    def not_finite(self, trace: Trace) -> Exception:
        """The error for gradients with which no optimizer step can be made."""
        ...


class _Observed(_Trainer):  # type: ignore[misc, valid-type]  # trl is not followed
    """Mixed into a trainer of TRL. `steps` is set before it trains."""

    steps: Steps
    trace: Trace
    _seen: tuple[Tensor, Tensor]

    def _send_telemetry(self) -> None:
        """TRL would report every run to its authors."""

    def save_state_to(self, folder: Path) -> None:
        """Weights in the type in which they are trained, and everything with which transformers resumes."""
        self.model.save_pretrained(folder)
        self._save_optimizer_and_scheduler(str(folder))
        self._save_rng_state(str(folder))
        self.state.save_to_json(str(folder / TRAINER_STATE_NAME))

    def training_step(self, *arguments: Any, **settings: Any) -> Tensor:
        """One pass of an update."""
        loss: Tensor = super().training_step(*arguments, **settings)
        self.trace.add_loss(float(loss))
        return loss

    def log(self, logs: dict[str, float], *arguments: Any, **settings: Any) -> None:
        """Called after every optimizer step, and with the totals at the end."""
        super().log(logs, *arguments, **settings)
        if "grad_norm" in logs:
            self.trace.end_update(grad_norm=logs["grad_norm"], lr=logs["learning_rate"])
            self.steps.updated(self.trace)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.trace = trace = self.steps.sampled([row["problem"] for row in inputs[:: self.num_generations]])
        with trace.clock.phase("score"):
            torch.manual_seed(trace.collection.rollouts[0].seed or 0)  # deals the rollouts to the passes
            found: dict[str, Any] = super()._generate_and_score_completions(inputs)
        trace.advantages_B = found["advantages"]
        # Permuted and split like everything else, so that every pass knows its rollouts.
        return found | {"rows": torch.arange(len(inputs))}

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """The prompts as the run has tokenised them: no chat template, no second begin-of-sequence token."""
        rollouts = self.trace.collection.rollouts
        assert prompts == [row.prompt for row in rollouts]
        return [list(row.prompt_token_ids or ()) for row in rollouts], None, {}

    def _completion_ids(self) -> list[list[int]]:
        return [list(row.token_ids or ()) for row in self.trace.collection.rollouts]

    def _get_per_token_logps_and_entropies(self, model: Any, *arguments: Any, **settings: Any) -> Any:
        found = super()._get_per_token_logps_and_entropies(model, *arguments, **settings)
        if model is self.ref_model:
            self.trace.reference_BT = self._on_host(found[0])
        elif torch.is_grad_enabled():
            self._seen = found[0], found[1]
        else:
            self.trace.old_BT = self._on_host(found[0])
        return found

    def _on_host(self, logprobs: Tensor) -> Tensor:
        return logprobs.float().cpu() * self.trace.batch.mask_BT

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        loss: Tensor = super()._compute_loss(model, inputs)
        logprobs, entropy = self._seen
        self.trace.add_pass(inputs["rows"].tolist(), logprobs, entropy=entropy)
        return loss


class OurGRPOTrainer(_Observed, GRPOTrainer):  # type: ignore[misc]  # trl is not followed
    """GRPOTrainer on our rollouts."""

    _name = "GRPO"

    def _generate_single_turn(self, *_: Any, **__: Any) -> tuple[list[list[int]], None]:
        # With log-probabilities TRL would do nothing more: it corrects for those of its own vLLM only.
        return self._completion_ids(), None


class OurRLOOTrainer(_Observed, RLOOTrainer):  # type: ignore[misc]  # trl is not followed
    """RLOOTrainer on our rollouts."""

    _name = "RLOO"

    def _generate_single_turn(self, *_: Any, **__: Any) -> list[list[int]]:
        return self._completion_ids()


_KEPT = ("bos_token_id", "eos_token_id", "pad_token_id", "use_cache")


class _Boundaries(TrainerCallback):  # type: ignore[misc]  # transformers is not followed
    """Tells `steps` when training begins, and looks at gradients before they are used."""

    def __init__(self, trainer: Any, *, kept: dict[str, Any]) -> None:
        self._trainer, self._kept = trainer, kept

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        # Both libraries change the model's configuration, which would be saved: without a cache, readers are slow.
        for name, value in self._kept.items():
            setattr(self._trainer.model.config, name, value)
        self._trainer.steps.begun()

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        gradients = (parameter.grad for parameter in self._trainer.model.parameters() if parameter.grad is not None)
        if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            raise self._trainer.steps.not_finite(self._trainer.trace)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a trainer is made of."""

    model: Any
    tokenizer: Any
    data: Any
    optimizers: tuple[Any, Any]
    """An optimizer and its schedule."""


def open_trainer(*, is_rloo: bool, arguments: dict[str, Any], parts: Parts) -> Any:
    """A trainer of TRL on our rollouts; set its `steps` before it trains."""
    kept = {name: getattr(parts.model.config, name) for name in _KEPT if hasattr(parts.model.config, name)}
    kind, settings = (OurRLOOTrainer, RLOOConfig) if is_rloo else (OurGRPOTrainer, GRPOConfig)
    trainer: Any = None

    def graded(**_: Any) -> list[float]:
        """The rewards that the rollouts have on disk."""
        trace = trainer.trace
        return [(row.reward or 0.0) * trace.scale for row in trace.collection.rollouts]

    trainer = kind(
        model=parts.model,
        args=settings(**arguments),
        reward_funcs=graded,
        train_dataset=parts.data,
        processing_class=parts.tokenizer,
        optimizers=parts.optimizers,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Boundaries(trainer, kept=kept))
    return trainer
