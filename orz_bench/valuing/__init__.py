"""Values of stored rollouts: critics of any package assess each token, and values are stored beside the rollouts."""
