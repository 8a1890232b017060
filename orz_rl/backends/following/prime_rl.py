"""prime-rl (read at 559b447, with verifiers' records at a60a606): metrics.jsonl, and traces.jsonl of every step.

Trainer and orchestrator write into one metrics.jsonl (monitors/file.py), each several rows a step, and the
orchestrator is some steps ahead: a step is complete when both have passed it.
`rollouts/step_N/train/effective/traces.jsonl` has what was trained on, `all` every episode as it arrives; `effective`
counts where both exist. Only traces of agents that are trained become rollouts. Steps are numbered as prime-rl does.

Meanings: train/agg/effective/agent/* are over the traces trained on, where the only agent is called `agent`: reward is
the weighted sum, num_output_tokens what the model generated, over all turns; mismatch_kl is the k3 estimate a token
(trainer/rl/loss.py); entropy is that of the logits over the temperature; optim/grad_norm is that of the step's only
update, before clipping. Not the same, so kept under their own names: optim/lr (read after the scheduler's step, so of
the next step), is_truncated (also by the number of turns), loss (with its KL terms), time/step (of each process:
behind its name).
Rollouts: a verdict where a reward or metric called correct_answer, check_answer or judge_reward_func is 0 or 1; token
ids and log-probabilities where the trace is one turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from orz_rl.backends.following.feeds import LogFeed, first_row, json_row, number, numbers, whole_step
from orz_rl.backends.following.texts import messages_text, text_of, whole_lines
from orz_rl.backends.following.tool import Dump, Feed, Line, Row, zero_or_one

METRICS: Mapping[str, str] = MappingProxyType(
    {
        "train/agg/effective/agent/reward/mean": "reward/mean",
        "train/agg/effective/agent/num_output_tokens/mean": "response/length_mean",
        "train/agg/effective/agent/num_output_tokens/max": "response/length_max",
        "entropy/all/mean": "policy/entropy",
        "mismatch_kl/all/mean": "mismatch/kl",
        "optim/grad_norm": "policy/grad_norm",
        "trainer/time/broadcast_weights": "time/sync",
    }
)
_STEP = re.compile(r"step_(\d{1,15})")
_OF_ORCHESTRATOR = ("train/", "progress/", "off_policy/", "batch/", "curriculum/", "dispatcher/")
_ORCHESTRATOR_TIMES = {"time/pack", "time/wait_for_policy"}
_FINISHED = ("RL trainer finished!", "Training finished!")
_VERDICT = re.compile(r"correct_answer|check_answer|judge_reward_func")
_GOLDS = ("answer", "gold", "ground_truth")
_RANKS = {"all": 0, "effective": 2}


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


@dataclass
class TrainerLogParser:
    """The trainer's own log: only whether it has finished."""

    ended: bool = False

    def parse(self, text: str) -> Iterator[Line | str]:
        """See Parser."""
        self.ended = self.ended or any(mark in text for mark in _FINISHED)
        return iter(())

    def is_whole(self, text: str) -> bool:
        """See Parser."""
        return False


class PrimeRlTool:
    """See the module."""

    name = "prime-rl"
    signs = "rollouts/step_N/{train,eval}/**/traces.jsonl, or metrics.jsonl with rows step, time and names"
    dumped_by = "orchestrator"
    overwritten_by = ""
    metrics = METRICS
    tags: frozenset[str] = frozenset()

    def feed(self, path: Path, *, is_named: bool) -> Feed | None:
        """See Tool."""
        if path.name == "trainer.log":  # of the newest attempt, where the link to it exists
            latest = path.parent.parent / "latest" / path.name
            return LogFeed(latest if latest.exists() else path, TrainerLogParser())
        if path.suffix != ".jsonl" or not (is_named or path.name == "metrics.jsonl"):
            return None
        row = first_row(path)
        return (
            LogFeed(path, MetricsParser(path), has_whole_steps=False) if row and {"step", "time"} <= set(row) else None
        )

    def dump(self, path: Path) -> Dump | None:
        """See Tool."""
        if path.name != "traces.jsonl":
            return None
        parts = path.parts
        for at in range(len(parts) - 2, 0, -1):
            match = _STEP.fullmatch(parts[at])
            if match and parts[at + 1] in {"train", "eval"}:
                benchmark = "validation" if parts[at + 1] == "eval" else None
                return Dump(path, int(match.group(1)), benchmark, rank=_RANKS.get(path.parent.name, 1))
        return None

    def rows(self, dump: Dump, *, is_last: bool) -> Iterator[tuple[str, Row | None]]:
        """See Tool."""
        for at, line in enumerate(whole_lines(dump.path, is_last=is_last), start=1):
            episode = json_row(line)
            if episode is None:
                yield f"line {at}", None
                continue
            for number_, trace in enumerate(_traces(episode), start=1):
                yield f"line {at}, trace {number_}", _rollout(episode, trace)


def _traces(episode: Row) -> list[Row]:
    """The trained agents' traces of an episode; a line may also be a trace itself."""
    traces = _dicts(episode.get("traces")) if "traces" in episode else [episode] if "nodes" in episode else []
    return [trace for trace in traces if _at(trace, "agent", "trainable") is not False]


def _rollout(episode: Row, trace: Row) -> Row:
    nodes = _dicts(trace.get("nodes"))
    sampled = [node for node in nodes if node.get("sampled")]
    before = nodes[: nodes.index(sampled[0])] if sampled else nodes
    task = _dict(_at(trace, "task", "data")) or _dict(_at(episode, "task", "data"))
    name, verdict = _verdict(trace)
    env, group = _at(episode, "env", "name") or _at(episode, "env", "id"), _at(episode, "group", "id")
    facts = {"env": env, "group": group, "episode": episode.get("id"), "stop_condition": trace.get("stop_condition")}
    others = facts | {name: trace.get(name) for name in ("rewards", "metrics", "errors")}
    return {
        "question": messages_text(task.get("prompt")),
        "prompt": messages_text([_dict(node.get("message")) for node in before]) or messages_text(task.get("prompt")),
        "gold": text_of(next((task[name] for name in _GOLDS if task.get(name) is not None), None)),
        "completion": "\n".join(_text(node) for node in sampled),
        "reward": _reward(trace),
        "verdict": verdict,
        "why": f"{name} in prime-rl's trace" if verdict else None,
        "num_tokens": _num_tokens(trace, sampled),
        "stop_reason": _stop_reason(trace),
        "policy_version": whole_step(_at(episode, "run", "work", "policy", "start")),
        "benchmark": env if isinstance(env, str) else None,
        "extra": {name: value for name, value in others.items() if value},
    } | _tokens(nodes, sampled)


def _text(node: Row) -> str:
    message = _dict(node.get("message"))
    reasoning = message.get("reasoning_content")
    answer = messages_text([message]) or ""
    return f"<think>{reasoning}</think>{answer}" if reasoning else answer


def _reward(trace: Row) -> float | None:
    """The sum of the weighted rewards; null where scoring did not run."""
    rewards = _dicts(list(_dict(trace.get("rewards")).values()))
    scores = [(number(one.get("score")), number(one.get("weight", 1.0))) for one in rewards]
    found = [score * weight for score, weight in scores if score is not None and weight is not None]
    return number(sum(found)) if found else None


def _verdict(trace: Row) -> tuple[str, str | None]:
    rewards = {name: _at(one, "score") for name, one in _dict(trace.get("rewards")).items()}
    named = {
        name: value for name, value in (_dict(trace.get("metrics")) | rewards).items() if _VERDICT.search(str(name))
    }
    stated = [(str(name), zero_or_one(value)) for name, value in named.items()]
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


TOOL = PrimeRlTool()
