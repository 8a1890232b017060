"""Is the thought used: where stored responses first conclude the right answer, read without any model."""
