"""Hugging Face transformers, with its own decoding."""
