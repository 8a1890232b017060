"""Training data from raw sources: stages that keep or drop rows, the fate of each row, a data card, and mining.

In: files and hub datasets of questions with answers. Out: a folder with train.jsonl, which `orz-rl train` reads, and
with fates.parquet, pairs.parquet, card.json and card.html (docs/curation.md). It trains nothing.
"""
