"""Step moments: sudden, lasting changes of level or slope in training curves. See docs/step-moments.md."""
