"""Measures of response texts: reflection, repetition, form, language, length, answer changes."""
