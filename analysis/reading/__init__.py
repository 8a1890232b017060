"""Read runs, rollouts and metric files into frames."""
