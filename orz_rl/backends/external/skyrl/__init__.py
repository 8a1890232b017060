"""SkyRL: its settings, its backend, and the generator that it runs."""
