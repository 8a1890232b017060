"""Training that another trainer runs, followed by its logs and rollout dumps into a run directory of ours."""
