"""Named groups of benchmarks, each asked in a stated way: `--bench paper`, or a YAML file of one's own."""
