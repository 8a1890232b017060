"""prime-rl: metrics.jsonl, and traces.jsonl of every step. Read at 559b447, with verifiers' records at a60a606.

Trainer and orchestrator write into one metrics.jsonl (monitors/file.py), each several rows a step, and the
orchestrator is some steps ahead. `rollouts/step_N/train/effective/traces.jsonl` has what was trained on, `all` every
episode as it arrives. Only traces of agents that are trained become rollouts. A verdict is a reward or metric called
correct_answer, check_answer or judge_reward_func that is 0 or 1; token ids and log-probabilities where the trace is one
turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.formats import cells
from orz_bench.exchange.formats.format import Contents, Format, log_of
from orz_bench.exchange.formats.head import Head
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.logs.line import Line
from orz_bench.exchange.logs.values import json_row, number, numbers, whole_step

Row = dict[str, Any]
_STEP = re.compile(r"step_(\d{1,15})")
_OF_ORCHESTRATOR = ("train/", "progress/", "off_policy/", "batch/", "curriculum/", "dispatcher/")
_ORCHESTRATOR_TIMES = {"time/pack", "time/wait_for_policy"}
_VERDICT = re.compile(r"correct_answer|check_answer|judge_reward_func")
_GOLDS = ("answer", "gold", "ground_truth")
_RANKS = {"all": 0, "effective": 2}


def read(head: Head) -> Contents | None:
    """Traces, or metrics."""
    if head.container != "lines":
        return None
    if _is_episode(head.row) and (place := place_of(head.path)) is not None:
        return _traces_of(head, place)
    if head.has("step", "time") and head.path.name == "metrics.jsonl" and _is_of_prime(head):
        log = replace(log_of(head, partial(MetricsParser, head.path)), has_whole_steps=False)
        return Contents(what="metrics of prime-rl", kind="curves", log=log)
    return None


def _is_episode(row: Row) -> bool:
    return isinstance(row.get("traces"), list) or isinstance(row.get("nodes"), list)


def _is_of_prime(head: Head) -> bool:
    from orz_bench.records.foreign_metrics import tool_of

    return tool_of({name for row in head.rows if isinstance(row, dict) for name in row}) == "prime-rl"


@dataclass(frozen=True, slots=True)
class Place:
    """What the folders of a file of traces say."""

    step: int
    is_evaluation: bool
    rank: int
    """Of several files with the traces of one step, the one with the highest rank counts."""


def place_of(path: Path) -> Place | None:
    """Step and kind by the folders: rollouts/step_N/train/effective/traces.jsonl."""
    parts = path.parts
    for at in range(len(parts) - 2, 0, -1):
        match = _STEP.fullmatch(parts[at])
        if match and parts[at + 1] in {"train", "eval"}:
            return Place(int(match.group(1)), parts[at + 1] == "eval", _RANKS.get(path.parent.name, 1))
    return None


def _traces_of(head: Head, place: Place) -> Contents:
    kind = "evaluation" if place.is_evaluation else "training"
    num = sum(len(traces_in(row)) for row in head.all_rows() if isinstance(row, dict))
    what = f"{counted(num, 'trace')} of prime-rl ({kind}, step {place.step})"
    if num == 0:
        return Contents(what=what, kind="nothing", instead="a file with traces of agents that are trained")
    is_doubled = place.rank == 0 and head.path.parent.with_name("effective").joinpath(head.path.name).is_file()
    if is_doubled:
        return Contents(what=what, kind="nothing", instead="effective/traces.jsonl, which has those trained on")
    return Contents(what=what, kind="samples", samples=partial(_samples, head, place), trains=not place.is_evaluation)


def _samples(head: Head, place: Place) -> Iterator[ForeignSample]:
    for number_, episode in cells.numbered(head.all_rows()):
        for at, trace in enumerate(traces_in(episode)):
            yield replace(sample_of(episode, trace, number_=number_), place=at, step=place.step)


@dataclass
class MetricsParser:
    """Rows {"step": 12, "time": ..., name: value}."""

    path: Path
    ended = False

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        row = json_row(text)
        step = whole_step(row.get("step")) if row else None
        if row is None or step is None:
            yield f"{self.path}: a line is not a row of metrics; it is left out: {text[:80]!r}"
            return
        values = {name: value for name, value in numbers(row).items() if name not in {"step", "time"}}
        if not values:
            return
        is_ahead = any(name.startswith(_OF_ORCHESTRATOR) or name in _ORCHESTRATOR_TIMES for name in values)
        is_side = all(name.startswith("eval/") for name in values)
        writer = "orchestrator" if is_ahead or is_side else "trainer"
        named = {f"{writer}/{name}" if name.startswith("time/") else name: value for name, value in values.items()}
        yield Line(step, named, writer=writer, is_side=is_side)

    def is_whole(self, text: str) -> bool:
        """See Parser."""
        return text.endswith("}") and json_row(text) is not None


def traces_in(episode: Row) -> list[Row]:
    """The trained agents' traces of an episode; a line may also be a trace itself."""
    traces = _dicts(episode.get("traces")) if "traces" in episode else [episode] if "nodes" in episode else []
    return [trace for trace in traces if _at(trace, "agent", "trainable") is not False]


def sample_of(episode: Row, trace: Row, *, number_: int) -> ForeignSample:
    """A trace of an episode."""
    nodes = _dicts(trace.get("nodes"))
    sampled = [node for node in nodes if node.get("sampled")]
    before = nodes[: nodes.index(sampled[0])] if sampled else nodes
    task = _dict(_at(trace, "task", "data")) or _dict(_at(episode, "task", "data"))
    name, verdict = _verdict(trace)
    env, group = _at(episode, "env", "name") or _at(episode, "env", "id"), _at(episode, "group", "id")
    facts = {"env": env, "group": group, "episode": episode.get("id"), "stop_condition": trace.get("stop_condition")}
    others = facts | {name: trace.get(name) for name in ("rewards", "metrics", "errors")}
    question = cells.conversation_of(task.get("prompt"))
    prompt = cells.conversation_of([_dict(node.get("message")) for node in before] or None) or question
    version = whole_step(_at(episode, "run", "work", "policy", "start"))
    return ForeignSample(
        row=number_,
        completion="\n".join(_text(node) for node in sampled),
        problem_id=cells.digest_of(prompt or question or ""),
        question=question,
        prompt=prompt,
        gold=cells.plain(next((task[name] for name in _GOLDS if task.get(name) is not None), None)),
        reward=_reward(trace),
        verdict=cells.verdict_of(verdict),
        judge=f"prime-rl: {name}" if name else "",
        num_tokens=_num_tokens(trace, sampled),
        stop_reason=_stop_reason(trace),
        benchmark=env if isinstance(env, str) else None,
        extra={name: value for name, value in others.items() if value},
        columns=_tokens(nodes, sampled) | ({} if version is None else {"policy_version": version}),
    )


def _text(node: Row) -> str:
    message = _dict(node.get("message"))
    reasoning = message.get("reasoning_content")
    answer = cells.conversation_of([message]) or ""
    return f"<think>{reasoning}</think>{answer}" if reasoning else answer


def _reward(trace: Row) -> float | None:
    """The sum of the weighted rewards; null where scoring did not run."""
    rewards = _dicts(list(_dict(trace.get("rewards")).values()))
    scores = [(number(one.get("score")), number(one.get("weight", 1.0))) for one in rewards]
    found = [score * weight for score, weight in scores if score is not None and weight is not None]
    return number(sum(found)) if found else None


def _verdict(trace: Row) -> tuple[str, Any]:
    rewards = {name: _at(one, "score") for name, one in _dict(trace.get("rewards")).items()}
    named = {
        name: value for name, value in (_dict(trace.get("metrics")) | rewards).items() if _VERDICT.search(str(name))
    }
    stated = [(str(name), value) for name, value in named.items()]
    return stated[0] if len(stated) == 1 else ("", None)


def _num_tokens(trace: Row, sampled: list[Row]) -> int | None:
    counts = [whole_step(_at(call, "usage", "completion_tokens")) for call in _dicts(trace.get("calls"))]
    used = [count for count in counts if count is not None]
    if used and len(used) == len(counts):
        return sum(used)
    masks = [node.get("mask") for node in sampled]
    if not masks or not all(isinstance(mask, list) and mask for mask in masks):
        return None
    return sum(sum(map(bool, mask)) for mask in masks if mask)


def _stop_reason(trace: Row) -> str | None:
    """Of the last call: `stop` is the end token, or a stop string, which prime-rl does not set by itself."""
    calls = [call for call in _dicts(trace.get("calls")) if not call.get("error")]
    finish = calls[-1].get("finish_reason") if calls else None
    return {"stop": "eos", "length": "length"}.get(finish) if isinstance(finish, str) else None


def _tokens(nodes: list[Row], sampled: list[Row]) -> Row:
    """Token ids of a trace with one turn, which is its last node."""
    if len(sampled) != 1 or sampled[0] is not nodes[-1]:
        return {}
    ids = [token for node in nodes for token in _list(node.get("token_ids"))]
    mask = [bool(one) for node in nodes for one in _list(node.get("mask"))]
    if not ids or len(ids) != len(mask) or not all(isinstance(one, int) and 0 <= one < 2**31 for one in ids):
        return {}
    logprobs = [number(one) for one in _list(sampled[0].get("logprobs"))]
    return {
        "prompt_token_ids": [token for token, is_own in zip(ids, mask, strict=True) if not is_own],
        "token_ids": [token for token, is_own in zip(ids, mask, strict=True) if is_own],
        "logprobs": logprobs if len(logprobs) == sum(mask) and None not in logprobs else None,
    }


def _at(value: Any, *names: str) -> Any:
    """The value at a path of names; None where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _dict(value: Any) -> Row:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[Row]:
    return [one for one in _list(value) if isinstance(one, dict)]


FORMAT = Format(name="prime-rl", title="prime-rl", read=read)
