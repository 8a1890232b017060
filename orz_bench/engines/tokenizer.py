"""A checkpoint's tokenizer, for rendering and counting prompts without loading the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orz_bench.engines.engine import EngineSpec, Tokenizer
from orz_bench.engines.fake import FakeTokenizer
from orz_bench.environment import set_library_defaults
from orz_bench.errors import ConfigError


class CheckpointTokenizer:
    """A Hugging Face tokenizer; one without bos or pad works."""

    def __init__(self, tokenizer: Any, name: str) -> None:
        self._tokenizer = tokenizer
        self._name = name

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
        """What the tokenizer itself puts before every text, as text."""
        probe = "a"
        whole, bare = self._tokenizer.encode(probe), self._tokenizer.encode(probe, add_special_tokens=False)
        start = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
        return str(self._tokenizer.decode(whole[:start]))

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids; special tokens only where the text has them."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    def render_chat(self, messages: Sequence[dict[str, str]]) -> str:
        """The chat template with its generation prompt."""
        if not self._tokenizer.chat_template:
            raise ConfigError(
                f"{self._name}: its tokenizer has no chat template. Use --template orz-code, plain or few-shot for a "
                f"base model, or add a chat template to the checkpoint."
            )
        from jinja2 import TemplateError

        try:
            return str(self._tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
        except (TemplateError, TypeError, ValueError, KeyError) as error:
            roles = ", ".join(message["role"] for message in messages)
            raise ConfigError(
                f"{self._name}: its chat template does not render messages of {roles} ({error}). Choose a --template "
                f"without them (plain and orz-code need no chat template; chat sends no system message), or mend "
                f"chat_template in the checkpoint's tokenizer files."
            ) from error


def load_tokenizer(spec: EngineSpec) -> Tokenizer | None:
    """The checkpoint's tokenizer; None for a model that is known only by its name on a server."""
    if spec.name == "fake":
        return FakeTokenizer()
    if spec.name == "openai" and spec.tokenizer is None:
        return None
    name = spec.tokenizer or spec.checkpoint
    set_library_defaults()
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, ImportError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(f"{name}: its tokenizer does not load ({reason}); save the checkpoint again.") from error
    return CheckpointTokenizer(tokenizer, name)
