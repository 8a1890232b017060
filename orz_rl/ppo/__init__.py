"""The algorithm as pure tensor functions: advantages, losses, KL terms, packing. No model, no configuration."""
