"""A training run: preparation, the loop over steps, the trainer, checkpoints, evaluations and health warnings."""
