"""Names of settings, and settings of earlier versions."""
