"""The training run: preparation, the loop over steps, the trainer, checkpoints, evaluations, health."""
