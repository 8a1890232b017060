"""A random language model of a few thousand parameters with a character tokenizer, as an ordinary checkpoint."""

from __future__ import annotations

from pathlib import Path

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
