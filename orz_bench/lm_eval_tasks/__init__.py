"""Our benchmarks as tasks of lm-eval: `lm_eval --include_path` reads the YAML files beside this one, which name `tasks`."""
