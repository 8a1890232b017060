"""Extract an answer from a response and decide whether it equals the gold; nothing in a response is ever executed."""
