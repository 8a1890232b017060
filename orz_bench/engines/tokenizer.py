"""A checkpoint's tokenizer, for rendering prompts and counting their tokens without loading the model."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import EngineSpec, Tokenizer
from orz_bench.engines.registry import get_engine
from orz_bench.engines.soundness import require_known_ids
from orz_bench.engines.text_tokens import TextTokens
from orz_bench.environment import set_library_defaults
from orz_bench.errors import ConfigError
from orz_bench.models.limits import ModelConfig
from orz_bench.models.transformers_imports import leave_out_unused


class CheckpointTokenizer:
    """A Hugging Face tokenizer; it may lack a bos or pad token."""

    def __init__(
        self,
        tokenizer: Any,
        name: str,
        *,
        rows: int | None = None,
        system: str | None = None,
        template_args: Mapping[str, Any] | None = None,
    ) -> None:
        """`rows`: of the model's embedding. `system`: the system prompt of chats.

        `template_args`: variables for the chat template besides the messages.
        """
        self._tokenizer = tokenizer
        self._name = name
        self._rows = rows
        self.system = system
        self._template_args = dict(template_args or {})
        self._text = TextTokens(tokenizer)

    def with_system(self, system: str) -> CheckpointTokenizer:
        """The same with another system prompt."""
        return CheckpointTokenizer(
            self._tokenizer, self._name, rows=self._rows, system=system, template_args=self._template_args
        )

    @property
    def bos(self) -> str:
        """The begin-of-sequence token's text, or the empty string."""
        return str(self._tokenizer.bos_token or "")

    @property
    def eos(self) -> str:
        """The end-of-sequence token's text, or the empty string."""
        return str(self._tokenizer.eos_token or "")

    @property
    def opening(self) -> str:
        """The text that the tokenizer itself adds before every text."""
        probe = "a"
        whole, bare = self._tokenizer.encode(probe), self._tokenizer.encode(probe, add_special_tokens=False)
        start = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
        return str(self._tokenizer.decode(whole[:start]))

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids; special tokens only if the text has them. EngineError for an id without a row in the model."""
        ids = tuple(self._tokenizer.encode(text, add_special_tokens=False))
        require_known_ids(ids, rows=self._rows, checkpoint=self._name)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids as engines return it: without control tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    @property
    def num_ids(self) -> int:
        """One more than its greatest id."""
        return max(self._tokenizer.get_vocab().values(), default=-1) + 1

    def is_that_of(self, other: Any) -> bool:
        """Whether a Hugging Face tokenizer has the same vocabulary, and so gives the same ids the same meaning."""
        return bool(self._tokenizer.get_vocab() == other.get_vocab())

    def spells_control(self, text: str) -> bool:
        """Whether part of the text would be read as a control token."""
        return self._text.spells_control(text)

    def encode_pieces(self, pieces: Sequence[tuple[str, bool]]) -> tuple[int, ...]:
        """Token ids of a prompt in pieces (text, whether it is user text); control tokens only in template text."""
        ids = self._text.encode(pieces)
        require_known_ids(ids, rows=self._rows, checkpoint=self._name)
        return ids

    def _refuse_unknown_args(self) -> None:
        """Raise ConfigError for variables that the template does not have: it would ignore them."""
        template = json.dumps(self._tokenizer.chat_template)
        for name in self._template_args:
            if re.search(rf"\b{name}\b", template) is None:
                raise ConfigError(
                    f"--template-args {name}: {self._name}'s chat template has no such variable; leave it out."
                )

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits over everything that decides how texts are tokenised and chats rendered."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        vocabulary = (
            backend.to_str() if backend is not None else json.dumps(self._tokenizer.get_vocab(), sort_keys=True)
        )
        special = json.dumps(self._tokenizer.special_tokens_map, sort_keys=True, default=str)
        template = json.dumps(self._tokenizer.chat_template, sort_keys=True)
        whole = f"{vocabulary}\0{special}\0{template}\0{self.opening}"
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:12]

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """The chat template with its generation prompt."""
        if not self._tokenizer.chat_template:
            raise ConfigError(
                f"{self._name}: its tokenizer has no chat template. Use --template orz-code, plain or few-shot for a "
                f"base model, or add a chat template to the checkpoint."
            )
        from jinja2 import TemplateError

        self._refuse_unknown_args()
        shown = [message for message in messages if self.system is None or message["role"] != "system"]
        if self.system is not None:
            shown = [{"role": "system", "content": self.system}, *shown]
        options = {"tokenize": False, "add_generation_prompt": True} | self._template_args
        try:
            return str(self._tokenizer.apply_chat_template(shown, **options))
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            roles = ", ".join(message["role"] for message in shown)
            raise ConfigError(
                f"{self._name}: its chat template does not render messages of {roles} ({error}). Choose a --template "
                f"without them (plain and orz-code need no chat template; chat sends no system message), or fix "
                f"chat_template in the checkpoint's tokenizer files."
            ) from error


def load_tokenizer(
    spec: EngineSpec, *, system: str | None = None, template_args: Mapping[str, Any] | None = None
) -> Tokenizer | None:
    """The checkpoint's tokenizer; None for a model on a server without --tokenizer."""
    engine = get_engine(spec.name)
    if engine.tokenizer is not None:
        return engine.tokenizer()
    if not engine.reads_files and spec.tokenizer is None:
        return None
    name = spec.tokenizer or spec.checkpoint
    set_library_defaults()
    leave_out_unused()
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except Exception as error:  # whatever the library raises, the message must name the file
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(f"{name}: its tokenizer does not load ({reason}); save the checkpoint again.") from error
    config = Path(name) / "config.json"
    rows = ModelConfig(config).vocabulary if config.is_file() else None
    return CheckpointTokenizer(tokenizer, name, rows=rows, system=system, template_args=template_args)
