"""Our benchmarks as tasks of lm-eval: its --include_path reads the YAML files beside this one, which name `tasks`."""
