"""Names of settings in messages, and settings of earlier versions."""
