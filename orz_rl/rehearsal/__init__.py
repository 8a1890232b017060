"""The doctor: what a training run uses of this machine is tried with the embedded model, as rows that pass or fail."""
