"""Small tokenizers of the families in use, trained on a few sentences: each with control tokens and a chat template."""

from __future__ import annotations

from typing import Any

_TEXTS = [
    "What is the sum of 12 and 30? Let x be a real number with x^2 = 2.",
    "Find the number of pairs (a, b) such that a + b <= 100 and a | b.",
    "user assistant system im_start im_end end of text <b> | > </s>",
] * 4
_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
FAMILIES = ("byte-bpe", "metaspace-first", "metaspace-always", "unigram", "phi", "slow-bytes")


def a_tokenizer(family: str) -> Any:
    """A Hugging Face tokenizer of this family."""
    from transformers import AddedToken, ByT5Tokenizer, PreTrainedTokenizerFast

    strips = family == "phi"
    special = [
        AddedToken(text, special=True, normalized=False, rstrip=strips) for text in ("<|im_start|>", "<|im_end|>")
    ]
    if family == "slow-bytes":
        tokenizer: Any = ByT5Tokenizer(extra_ids=0)
    else:
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=_backend(family), eos_token="</s>", unk_token="<unk>")
    tokenizer.add_tokens(special, special_tokens=True)
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False)])
    tokenizer.add_tokens([AddedToken("  ", normalized=False)])
    tokenizer.chat_template = _CHAT
    return tokenizer


def _backend(family: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    special = ["<unk>", "</s>"]
    if family == "unigram":
        backend = Tokenizer(models.Unigram())
        trainer: Any = trainers.UnigramTrainer(
            vocab_size=150, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    else:
        backend = Tokenizer(models.BPE(unk_token="<unk>"))
        alphabet = pre_tokenizers.ByteLevel.alphabet() if family in ("byte-bpe", "phi") else []
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    if family in ("byte-bpe", "phi"):
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
    else:
        scheme = "first" if family == "metaspace-first" else "always"
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=family != "metaspace-first")
        backend.decoder = decoders.Metaspace(prepend_scheme=scheme)
    backend.train_from_iterator(_TEXTS, trainer)
    return backend
