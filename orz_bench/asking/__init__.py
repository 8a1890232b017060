"""How a question becomes a prompt: protocols, templates, and token ids."""
