"""What a configuration needs before anything starts: batches, memory and time."""
