"""Ask a checkpoint questions, grade the answers, keep every answer."""
