"""Evaluate checkpoints on benchmarks: plan, sample, grade, record, summarise; runs resume sample by sample."""
