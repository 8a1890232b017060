"""Critics fitted offline: values of stored rollouts are learned without sampling, and measured on held-out problems."""
