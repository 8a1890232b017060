"""The embedded tiny base model, the code that builds it, and the published training data."""
