"""What is computed about behaviours, with formulas and sources: a part of docs/metrics.md."""

from __future__ import annotations

from orz_bench.records.measure import Measure

BEHAVIOUR_MEASURES = (
    Measure("share", "responses that the detector found / responses with a yes or a no; interval over questions"),
    Measure("precision", "of responses that the detector found, those with the tag; binomial interval"),
    Measure("recall", "of responses with the tag, those that the detector found (sensitivity)"),
    Measure("specificity", "of judged responses without the tag, those that the detector did not find"),
    Measure("kappa", "(observed - expected) / (1 - expected) agreement", "Cohen 1960"),
    Measure(
        "corrected",
        "(share + specificity - 1) / (recall + specificity - 1), cut to [0, 1]; the interval covers the doubt about "
        "all three",
        "Rogan and Gladen 1978; interval: Lang and Reiczigel 2014",
    ),
)
