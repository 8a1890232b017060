"""The embedded tiny base model and the script that builds it."""
