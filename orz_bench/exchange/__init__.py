"""Files of other tools: import rollouts, grade a file of answers."""
