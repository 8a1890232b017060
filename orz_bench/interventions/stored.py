"""Stored responses with their thoughts, ready to be asked again, and the settings of that."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from orz_bench.asking.thoughts import THOUGHTS
from orz_bench.errors import ConfigError, counted
from orz_bench.extraction.rules import EXTRACTOR_NAMES
from orz_bench.probing.first_right import is_a_value
from orz_bench.records.rollout import AnswerKind, Problem
from orz_bench.records.run_dir import EvaluationDir, read_json

Measured = Literal["now", "later"]
TENTHS = tuple(at / 10 for at in range(11))
RULES = 1
"""Increased whenever the same settings would lead to other requests."""
_BOX = " \\boxed{"
_ENDS = ("</think>", "<answer>", "\\boxed{")
"""Of responses to a template without a thought of its own."""
_STOPS = ("</answer>",)
_LETTER = re.compile(r"[A-Z]")
_COLUMNS = (
    "problem_id", "sample_index", "question", "gold", "prompt", "prompt_token_ids", "completion", "extracted",
    "verdict",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedSettings:
    """How thoughts are cut, perturbed and answered."""

    positions: tuple[float, ...]
    """Shares of the thought that the model gets, in ascending order."""
    measured: tuple[Measured, ...]
    max_steps: int
    """Steps of a response that are scored, drawn at random; 0: all."""
    answer_tokens: int
    """Of a forced answer."""
    max_tokens: int
    """Of a response whose thought goes on."""
    force: str
    """What is put behind a thought, up to the beginning of the answer."""
    ends: tuple[str, ...]
    """Texts that end a thought."""
    stop: tuple[str, ...]
    extractor: str
    seed: int

    @property
    def closing(self) -> str:
        """What follows a forced answer."""
        return "}" if self.force.endswith("{") else ""

    def card(self) -> dict[str, Any]:
        """What can move a result."""
        return asdict(self) | {"rules": RULES}


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedChoices:
    """What a caller chooses; the rest follows from the evaluation's protocol. Fields as those of NeedSettings."""

    positions: tuple[float, ...] = TENTHS
    measured: tuple[Measured, ...] = ("now",)
    max_steps: int = 8
    answer_tokens: int = 64
    force: str | None = None
    """None: of the template."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredThought:
    """One response."""

    problem: Problem
    sample_index: int
    prompt: str
    prompt_token_ids: Sequence[int] | None
    thought: str
    text: str
    """The whole response."""
    answer: str | None
    """Its own; None if none was found."""

    @property
    def key(self) -> tuple[str, int]:
        """(problem id, sample index)."""
        return self.problem.problem_id, self.sample_index


def settings_for(directory: EvaluationDir, choices: NeedChoices) -> NeedSettings:
    """Settings by the evaluation's protocol. ConfigError for a template without a thought, unless `force` is given."""
    card = read_json(directory.protocol_path).get("card") or {}
    template, extractor = card.get("template"), card.get("extractor")
    thought = THOUGHTS.get(str(template))
    force = choices.force
    if force is None and thought is not None:
        force = thought.close.rstrip(" ") + _BOX
    if force is None:
        raise ConfigError(
            f"{directory.path}: its template ({template or 'unknown'}) asks for no thought, so that it is not known "
            f"how a thought ends and an answer begins; give that text, such as --close '\\nSo the answer is \\boxed{{'."
        )
    return NeedSettings(
        positions=tuple(sorted(set(choices.positions))),
        measured=choices.measured,
        max_steps=choices.max_steps,
        answer_tokens=choices.answer_tokens,
        max_tokens=int(card.get("max_tokens") or 4096),
        force=force,
        ends=_ENDS if thought is None else thought.ends,
        stop=tuple(card.get("stop") or _STOPS),
        extractor=extractor if extractor in EXTRACTOR_NAMES else "final",
        seed=choices.seed,
    )


def stored_thoughts(
    directory: EvaluationDir, settings: NeedSettings, *, limit: int | None = None, responses: int | None = None
) -> tuple[list[StoredThought], int]:
    """(responses with a finished thought, the number of those left out), by question and sample.

    `limit`: only the first questions; `responses`: only the first of each. ConfigError if none can be asked again.
    """
    table = directory.read(list(_COLUMNS))
    rows = sorted(table.to_pylist(), key=lambda row: (row["problem_id"], row["sample_index"]))
    golds = [row["gold"] for row in rows if row["gold"] is not None]
    is_choice = bool(golds) and all(map(_LETTER.fullmatch, golds))
    found = [_thought(row, settings, benchmark=directory.benchmark, is_choice=is_choice) for row in rows]
    usable = [each for each in found if each is not None]
    if not usable:
        raise ConfigError(
            f"{directory.path}: none of its {counted(len(rows), 'response')} has a prompt, a text with a finished "
            f"thought (ended by {' or '.join(settings.ends)}), a verdict and a gold that can be an answer; "
            f"programs and instructions cannot be probed, and imported files need --grade."
        )
    return _first(usable, limit=limit, responses=responses), len(rows) - len(usable)


def _thought(
    row: Mapping[str, Any], settings: NeedSettings, *, benchmark: str, is_choice: bool
) -> StoredThought | None:
    text, gold, prompt = row["completion"], row["gold"], row["prompt"]
    if not text or not prompt or row["verdict"] is None or not is_a_value(gold):
        return None
    places = [at for end in settings.ends if (at := text.find(end)) >= 0]
    thought = text[: min(places)].rstrip() if places else ""
    if not thought.strip():
        return None
    kind: AnswerKind = "choice" if is_choice else "math"
    return StoredThought(
        problem=Problem(
            benchmark=benchmark,
            problem_id=row["problem_id"],
            question=row["question"] or "",
            gold=gold,
            kind=kind,
            num_choices=26 if is_choice else 0,
        ),
        sample_index=row["sample_index"],
        prompt=prompt,
        prompt_token_ids=row["prompt_token_ids"],
        thought=thought,
        text=text,
        answer=row["extracted"] or None,
    )


def _first(found: Sequence[StoredThought], *, limit: int | None, responses: int | None) -> list[StoredThought]:
    kept: dict[str, list[StoredThought]] = defaultdict(list)
    for each in found:
        of_question = kept[each.problem.problem_id]
        if responses is None or len(of_question) < responses:
            of_question.append(each)
    return [each for of_question in list(kept.values())[:limit] for each in of_question]
