"""Files of every kind that a command reads, and ways to damage them."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.guards.tree import PROJECT
from tests.support.runs import a_run


def write_corpus(folder: Path) -> Path:
    """One of everything that a command reads, valid."""
    folder.mkdir(parents=True)
    a_run(folder / "run", num_steps=6)
    a_run(folder / "other", num_steps=6, seed=7, changes={"advantage.lam": 0.95})
    shutil.copytree(PROJECT / "orz_rl" / "assets" / "tiny", folder / "model")
    rows = [{"problem_id": f"{i}", "response": f"\\boxed{{{i}}}", "answer": str(i), "problem": "?"} for i in range(8)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "answers.jsonl").write_text(lines, encoding="utf-8")
    (folder / "answers.json").write_text(json.dumps(rows), encoding="utf-8")
    table = ["step,reward,loss", *(f"{i},{i / 9},1" for i in range(40))]
    (folder / "table.csv").write_text("\n".join(table), encoding="utf-8")
    talk = [
        [{"from": "human", "value": f"{i}+1?"}, {"from": "assistant", "ground_truth": {"value": "2"}}] for i in range(8)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in talk), encoding="utf-8")
    dump = [{"prompt": "?", "output": f"\\boxed{{{i}}}", "final_answer": str(i), "iscorrect": True} for i in range(4)]
    (folder / "eval_output_iter3_math500.jsonl").write_text("".join(json.dumps(d) + "\n" for d in dump), "utf-8")
    (folder / "empty").mkdir()
    return folder


def damage_one(place: Path, rng: random.Random) -> str:
    """Damage one file, or add one that no command expects; what was done."""
    files = [path for path in sorted(place.rglob("*")) if path.is_file()]
    path = rng.choice(files)
    name, do = rng.choice(_DAMAGES)
    do(path, rng)
    return f"{name} {path.relative_to(place)}"


def _truncate(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: rng.randrange(len(data) + 1)])


def _flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)


def _put(content: bytes) -> Callable[[Path, random.Random], None]:
    def put(path: Path, rng: random.Random) -> None:
        path.write_bytes(content)

    return put


def _insert(content: bytes) -> Callable[[Path, random.Random], None]:
    def insert(path: Path, rng: random.Random) -> None:
        data = path.read_bytes()
        at = rng.randrange(len(data) + 1)
        path.write_bytes(data[:at] + content + data[at:])

    return insert


_VALUES: tuple[Any, ...] = (None, True, -1, 0, 1e400, 10**40, "", "x" * 5_000, [], {}, [[]], "\ud800", {"a": {"b": 1}})


def _change_value(path: Path, rng: random.Random) -> None:
    """Put a value of another kind at a place of a JSON or JSON lines file; other files are flipped."""
    try:
        lines = path.read_text("utf-8").splitlines()
        number = rng.randrange(len(lines)) if path.suffix == ".jsonl" else None
        tree = json.loads(lines[number] if number is not None else "\n".join(lines))
    except (ValueError, IndexError):
        _flip(path, rng)
        return
    at: Any = tree
    while isinstance(at, dict | list) and at:
        key = rng.choice(list(at) if isinstance(at, dict) else range(len(at)))
        if not isinstance(at[key], dict | list) or not at[key] or rng.random() < 0.3:
            if rng.random() < 0.2:
                del at[key]
            else:
                at[key] = rng.choice(_VALUES)
            break
        at = at[key]
    text = json.dumps(tree)
    if number is not None:
        lines[number] = text
        text = "\n".join(lines) + "\n"
    path.write_text(text, encoding="utf-8")


def _to_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _to_pipe(path: Path, rng: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def _to_loop(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _to_nowhere(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.symlink_to("nothing-there")


def _odd_neighbour(path: Path, rng: random.Random) -> None:
    name = rng.choice(
        ("\x1b[31mred", "line\nbreak", "\u202eright", "step=000009", "part-x.parquet", "ü" * 60, "\udcff")
    )
    target = path.with_name(name)
    if rng.random() < 0.5:
        target.mkdir(exist_ok=True)
    else:
        shutil.copyfile(path, target)


_DAMAGES: tuple[tuple[str, Callable[[Path, random.Random], None]], ...] = (
    ("truncate", _truncate),
    ("flip", _flip),
    ("change a value of", _change_value),
    ("change a value in", _change_value),
    ("change the value in", _change_value),
    ("empty", _put(b"")),
    ("write null to", _put(b"null")),
    ("write a list to", _put(b"[]")),
    ("write deep brackets to", _put(b"[" * 100_000)),
    ("write Latin-1 to", _put("größe\n".encode("latin-1"))),
    ("write UTF-16 to", _put('{"a": 1}\n'.encode("utf-16"))),
    ("insert NUL into", _insert(b"\x00")),
    ("insert bad UTF-8 into", _insert(b"\xff\xfe\x80")),
    ("insert an escape into", _insert(b"\x1b[2J")),
    ("insert NaN into", _insert(b" NaN ")),
    ("delete", lambda path, rng: path.unlink()),
    ("make a folder of", _to_folder),
    ("make a pipe of", _to_pipe),
    ("make a loop of", _to_loop),
    ("point nowhere", _to_nowhere),
    ("odd neighbour of", _odd_neighbour),
)
