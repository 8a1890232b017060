"""A random language model of a few thousand parameters with a character tokenizer, as an ordinary checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ALPHABET = "".join(map(chr, range(32, 127))) + "\n"


def a_tiny_checkpoint(folder: Path, *, seed: int = 0, context: int = 512, bos: bool = False, pad: bool = True) -> Path:
    """Write it to `folder`. The end token has id 0; without `pad` and `bos` the tokenizer has neither."""
    import torch
    from tokenizers import Regex as Pattern
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {"<end>": 0, "<unk>": 1, "<s>": 2} | {char: index for index, char in enumerate(ALPHABET, start=3)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Pattern("[\\s\\S]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    special = {"eos_token": "<end>", "unk_token": "<unk>"}
    special |= {"bos_token": "<s>"} if bos else {}
    special |= {"pad_token": "<end>"} if pad else {}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        bos_token_id=2 if bos else None,
        eos_token_id=0,
        pad_token_id=0 if pad else None,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def a_gemma2(*, vocab_size: int, **settings: Any) -> Any:
    """A random Gemma 2 of two layers, whose attention is packed_sdpa; in evaluation mode."""
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=vocab_size,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        query_pre_attn_scalar=8,
        attn_implementation="packed_sdpa",
        **settings,
    )
    return Gemma2ForCausalLM(config).eval()
