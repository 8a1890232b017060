"""Commands of the documents, run as a reader would: the pages that take seconds. `make docs-run` runs all of them."""

from __future__ import annotations

import pytest

from tests.documents.commands import fault_of, run_page

CHEAP = (
    "docs/faq.md",
    "docs/tutorials/two-checkpoints.md",
    "docs/tutorials/plan-7b.md",
    "docs/importing.md",
    "docs/installing.md",
    "docs/step-moments.md",
)


@pytest.mark.parametrize("page", CHEAP)
def test_commands_run_and_print_what_the_page_shows(page: str) -> None:
    done = list(run_page(page))
    assert done
    faults = [fault for one in done if (fault := fault_of(one))]
    assert not faults, "\n".join(faults)
