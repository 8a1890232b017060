"""Critics made up from a checkpoint: its body with a head."""

from __future__ import annotations

import shutil
from pathlib import Path


def a_critic(folder: Path, *, of: Path) -> Path:
    """Write it to `folder`, with the tokenizer of the checkpoint."""
    import torch

    from orz_rl.critic import ValueModel, load_classifier

    classifier, _ = load_classifier(str(of), dtype="float32", attention="packed_sdpa")
    with torch.no_grad():
        classifier.score.weight.copy_(torch.linspace(-1, 1, classifier.score.weight.numel())[None] / 10)
    ValueModel(classifier).save_pretrained(folder)
    for file in of.glob("*token*"):
        shutil.copy(file, folder)
    return folder
