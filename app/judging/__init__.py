"""What people note about rollouts, and scores with their verdicts."""
