"""Training problems: read from files, with prompts tokenised once, in an order that depends on seed and step alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.benchmarks.rows import math_problem
from orz_bench.data_files import read_rows
from orz_bench.engines.engine import Tokenizer
from orz_bench.errors import ConfigError, DataError
from orz_bench.records.rollout import Problem
from orz_bench.records.scripts import foreign_letters
from orz_bench.templates import TEMPLATES

_SOURCE = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A problem as the policy is shown it."""

    problem: Problem
    text: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prompts:
    """What is left to train on, and what was refused."""

    prompts: tuple[Prompt, ...]
    too_long: tuple[str, ...]
    """Ids of problems whose prompt exceeds the limit: refused, never cut, because a cut prompt loses its end."""


def read_problems(sources: Sequence[str]) -> list[Problem]:
    """The problems of all sources: files in the published ORZ format, or JSON lines, CSV or Parquet with a problem and
    an answer; `hub:OWNER/NAME/FILE`, such a file of a hub dataset; `arithmetic`, generated sums.

    Ids are the rows' own, or made from the file's name and the position. Raises DataError for a broken row (and where),
    an id that stands twice, or no problem at all.
    """
    problems = [problem for source in sources for problem in _read_source(source)]
    seen: set[str] = set()
    for problem in problems:
        if problem.problem_id in seen:
            raise DataError(f"{problem.problem_id}: two training problems have this id; give every row its own.")
        seen.add(problem.problem_id)
    if not problems:
        raise DataError(f"{', '.join(sources) or 'no source'}: no training problem; name files that hold some.")
    return problems


def make_prompts(problems: Sequence[Problem], tokenizer: Tokenizer, *, template: str, max_tokens: int) -> Prompts:
    """Render and tokenise every problem. Raises ConfigError where every prompt is too long."""
    render = TEMPLATES[template]
    texts = [render(problem, tokenizer) for problem in problems]
    prompts = [
        Prompt(problem=problem, text=text, token_ids=tokenizer.encode(text))
        for problem, text in zip(problems, texts, strict=True)
    ]
    fitting = tuple(prompt for prompt in prompts if len(prompt.token_ids) <= max_tokens)
    too_long = tuple(p.problem.problem_id for p in prompts if len(p.token_ids) > max_tokens)
    if not fitting:
        shortest = min(len(prompt.token_ids) for prompt in prompts)
        raise ConfigError(
            f"all {len(prompts):,} prompts exceed {max_tokens:,} tokens (the shortest has {shortest:,}); raise it."
        )
    return Prompts(fitting, too_long)


def problems_at(num_problems: int, *, start: int, count: int, seed: int) -> list[int]:
    """Indices of `count` problems from position `start` of the stream on: a function of its arguments.

    The stream is one seeded permutation of all problems after another; every problem comes once before any comes twice.
    """
    if num_problems < 1 or count < 1:
        raise ConfigError(f"{count} problems out of {num_problems} cannot be drawn; both have to be positive.")
    positions = range(start, start + count)
    orders = {epoch: _order(num_problems, seed=seed, epoch=epoch) for epoch in {p // num_problems for p in positions}}
    return [orders[position // num_problems][position % num_problems] for position in positions]


def _order(num_problems: int, *, seed: int, epoch: int) -> list[int]:
    order = list(range(num_problems))
    random.Random(f"order {seed} {epoch}").shuffle(order)
    return order


def select_problems(problems: Sequence[Problem], *, limit: int | None, language: str) -> list[Problem]:
    """Those in the language ("any", or "english": without foreign letters), then the first `limit`."""
    spoken = [problem for problem in problems if language == "any" or not foreign_letters(problem.question)]
    if not spoken:
        raise ConfigError(f"data.language={language} leaves none of {len(problems):,} problems; use data.language=any.")
    return spoken[:limit]


def _read_source(source: str) -> Iterator[Problem]:
    if source == "arithmetic":
        return iter(generate_sums(split="train"))
    if source.startswith("hub:"):
        return _read_file(_from_hub(source.removeprefix("hub:")))
    path = Path(source)
    if not path.is_file():
        raise DataError(f"data.source {source}: no such file; name one, hub:OWNER/NAME/FILE, or arithmetic.")
    return _read_file(path)


def _from_hub(name: str) -> Path:
    """Download one file of a hub dataset. Raises DataError with the cause."""
    owner, _, rest = name.partition("/")
    dataset, _, file = rest.partition("/")
    if not (owner and dataset and file):
        raise DataError(f"hub:{name} is not hub:OWNER/NAME/FILE; name one file of a dataset.")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(f"{owner}/{dataset}", file, repo_type="dataset"))
    except Exception as error:  # whatever the hub's client raises, the user must know what to do
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise DataError(
            f"hub:{name}: the hub did not give it ({reason}). Check the name and the network, or download the file "
            f"yourself and name it in data.source."
        ) from error


def _read_file(path: Path) -> Iterator[Problem]:
    for position, (where, row) in enumerate(_rows(path)):
        try:
            question_and_answer = _from_conversation(row) if isinstance(row, list) else row
            yield math_problem({"id": f"{path.stem}-{position}"} | question_and_answer, position, benchmark=_SOURCE)
        except DataError as error:
            raise DataError(f"{path}, {where}: {error}. Mend or remove that row.") from error


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    conversations = _conversations(path) if path.suffix == ".json" else None
    if conversations is None:
        return iter(read_rows(path))
    return ((f"row {number}", turns) for number, turns in enumerate(conversations))


def _conversations(path: Path) -> list[Any] | None:
    """The rows of a file in the published ORZ training format, or None for another JSON file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); restore the file.") from error
    is_conversations = isinstance(content, list) and bool(content) and isinstance(content[0], list)
    return content if is_conversations else None


def _from_conversation(turns: list[Any]) -> dict[str, Any]:
    try:
        question, answer = turns
        return {"problem": question["value"], "answer": answer["ground_truth"]["value"]}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("wanted two turns, a question with 'value' and an answer with 'ground_truth'") from error
