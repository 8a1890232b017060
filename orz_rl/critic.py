"""The critic: a decoder that outputs one number per token, and its checkpoint folder.

    from orz_rl.critic import ValueModel

    critic = ValueModel.from_pretrained("runs/x/checkpoints/step=000050/critic")
    critic.values([tokenizer.encode(prompt + response)])     # one list of numbers per sequence

The folder is not a Hugging Face classifier: its config.json has its own model type, so AutoModelFor... refuses it
instead of adding a new head to its body. It also contains safetensors (the body's weights under their own names, and
`score.weight` for the head) and the tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from orz_bench.engines.soundness import require_whole
from orz_bench.errors import ConfigError
from orz_bench.records.regular import read_text
from orz_bench.records.run_dir import to_json, write_text
from orz_rl.ppo.packed_attention import register_packed_attention
from orz_rl.ppo.packed_forward import values_of

MODEL_TYPE = "orz_critic"
HEAD = "score.weight"


class ValueModel(torch.nn.Module):  # type: ignore[misc]
    """A decoder body with one bias-free output per token."""

    def __init__(self, classifier: Any) -> None:
        """`classifier`: a sequence classifier of transformers with one label, whose `score` is the head."""
        super().__init__()
        self.classifier = classifier
        self.config = classifier.config

    def forward(self, **inputs: Any) -> Tensor:
        """The value at every token, shape (1, N, 1)."""
        hidden = self.classifier.base_model(**inputs).last_hidden_state
        return self.classifier.score(hidden)

    def values(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        """For each sequence of token ids, at index i the expected return after its first i + 1 tokens."""
        self.eval()
        with torch.no_grad():
            return [values.tolist() for values in values_of(self, sequences)]

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, dtype: str = "float32", attention: str = "packed_sdpa", **options: Any
    ) -> Self:
        """Load a critic saved by save_pretrained(), on the CPU. Raises ConfigError for a folder without one."""
        model, missing = load_classifier(str(folder), dtype=dtype, attention=attention, **options)
        if missing:
            raise ConfigError(
                f"{folder}: has no value head (missing: {', '.join(missing[:3])}); give the critic/ folder of a "
                "checkpoint, "
                f"or one written by orz-rl export --critic."
            )
        return cls(model)

    def save_pretrained(self, folder: str | Path, *, state_dict: Mapping[str, Tensor] | None = None) -> None:
        """Write weights and config.json. `state_dict`: the full weights, if this module holds only shards."""
        state = self.state_dict() if state_dict is None else state_dict
        self.classifier.save_pretrained(
            folder, state_dict={name.removeprefix("classifier."): tensor for name, tensor in state.items()}
        )
        path = Path(folder) / "config.json"
        body = json.loads(read_text(path))
        facts = {
            "architectures": ["ValueModel"],
            "model_type": MODEL_TYPE,
            "what_this_is": "a critic: one value a token; load it with orz_rl.critic.ValueModel.from_pretrained",
            "body": body,
        }
        write_text(path, to_json(facts))


def load_classifier(folder: str, *, dtype: str, attention: str, **options: Any) -> tuple[Any, list[str]]:
    """Load a critic or a language model as a sequence classifier with one label.

    Returns the classifier, and the names of weights that were missing and newly initialised. Raises the errors of
    transformers, and EngineError if the body is incomplete.
    """
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    register_packed_attention()
    config = body_config(folder)
    given: dict[str, Any] = {"num_labels": 1} if config is None else {"config": config}
    # transformers prints its own table of missing weights; faults are reported below.
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            folder,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are reported with all other faults
            dtype=getattr(torch, dtype),
            attn_implementation=attention,
            use_safetensors=True,  # the other format is pickle, which can execute code
            **given,
            **options,
        )
    finally:
        logging.set_verbosity(before)
    require_whole(loading, folder, new=("score.",), left=("lm_head.",))
    return model, sorted(loading["missing_keys"])


def body_config(folder: str) -> Any:
    """The configuration of a critic's body; None for a folder without a critic in this format."""
    from transformers import AutoConfig

    path = Path(folder) / "config.json"
    content = json.loads(read_text(path)) if path.is_file() else {}
    if content.get("model_type") != MODEL_TYPE:
        return None
    body = dict(content["body"])
    return AutoConfig.for_model(body.pop("model_type"), **body)
