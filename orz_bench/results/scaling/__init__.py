"""Test-time scaling: accuracy of rules that choose one of k stored answers, against k and against tokens."""
