"""OpenRLHF: its settings, its backend, and the agent executor that it loads."""
