"""What sections of settings are made of, those around the steps, names of settings in messages, and older settings."""
