"""Commands of the documents, run as a reader would. `make docs-run` runs them, too; --write writes their outputs."""

from __future__ import annotations

import pytest

from tests.documents.commands import commands_of, fault_of, pages, run_page, to_run

CHEAP = (
    "docs/faq.md",
    "docs/tutorials/two-checkpoints.md",
    "docs/tutorials/plan-7b.md",
    "docs/importing.md",
    "docs/installing.md",
    "docs/step-moments.md",
)


OTHERS = [page for page in pages() if page not in CHEAP and any(to_run(one) for one in commands_of(page))]


@pytest.mark.parametrize("page", [*CHEAP, *(pytest.param(page, marks=pytest.mark.slow) for page in OTHERS)])
def test_commands_run_and_print_what_the_page_shows(page: str) -> None:
    done = list(run_page(page))
    assert done
    faults = [fault for one in done if (fault := fault_of(one))]
    assert not faults, "\n".join(faults)
