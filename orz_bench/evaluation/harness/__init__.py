"""lm-eval tasks on orz_bench engines, and orz_bench benchmarks as lm-eval tasks."""
