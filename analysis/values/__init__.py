"""What a critic's values of stored responses say: calibration, reflections, repetition, where wrong answers fall."""
