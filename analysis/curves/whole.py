"""Add to a study everything that a report shows of it: what commands stored in its run, and what follows from it."""

from __future__ import annotations

from analysis.curves.assessed import with_values
from analysis.curves.behaved import with_behaviours
from analysis.curves.bounded import with_boundaries
from analysis.curves.contaminated import with_contamination
from analysis.curves.probed import with_thoughts
from analysis.curves.step_moments import with_step_moments
from analysis.curves.study import Study
from analysis.curves.token_layers import with_tokens
from analysis.curves.weighed import with_weights
from analysis.texts.lexicons import Lexicon


def with_everything(study: Study, lexicon: Lexicon) -> Study:
    """The study with step moments, values, boundaries, thoughts, contamination, tokens, behaviours and weights.

    What a run lacks stays empty; what is damaged is a note of the run. Takes seconds to minutes.
    """
    found = with_values(with_step_moments(study), lexicon)
    for add in (with_boundaries, with_thoughts, with_contamination, with_tokens, with_behaviours, with_weights):
        found = add(found)
    return found
