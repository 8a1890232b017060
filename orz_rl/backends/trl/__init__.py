"""TRL's GRPOTrainer and RLOOTrainer as a backend: our prompts, engines, grader and run directory around its updates."""
