"""Hugging Face transformers, with decoding of our own."""
