"""From our settings to the configuration of another trainer, with what is lost on the way. Starts nothing."""
