"""Sudden, lasting changes of level or slope in training curves: docs/step-moments.md."""
