"""orz-analysis reflection."""

from __future__ import annotations

import json

from analysis.commands.arguments import LexiconName, Source
from orz_bench.terminal import Json, print_result, reports_errors, result_console


@reports_errors
def reflection_command(run: Source, *, lexicon: LexiconName = "orz-code", json_output: Json = False) -> None:
    """Report how often and where responses reflect, their lengths, and whether reflection goes with correct answers."""
    from analysis.reading.load import load_path
    from analysis.report.reflection_summary import summaries_of, summary_table
    from analysis.texts.lexicons import get_lexicon

    summaries = summaries_of(load_path(run), get_lexicon(lexicon))
    if json_output:
        print_result(json.dumps({"lexicon": lexicon, "sets": [one.to_json() for one in summaries]}, ensure_ascii=False))
    else:
        for summary in summaries:
            result_console().print(summary_table(summary))
