"""Measures of response texts: reflection, repetition, format, language, length, answer changes."""
