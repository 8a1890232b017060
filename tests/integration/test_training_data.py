"""orz-rl data against a stand-in for the hub: downloads, files that are kept, and errors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from orz_bench.errors import ConfigError
from orz_rl.assets.published_data import FOLDER, PUBLISHED_DATA, PublishedData, get_published, is_published_content
from orz_rl.config import DataConfig
from orz_rl.recipes.registry import RECIPES
from orz_rl.rollout.problems import GENERATED, read_problems
from tests.support.training import orz_rl

CONTENT = json.dumps([[{"from": "human", "value": "1 + 1?"}, {"ground_truth": {"value": "2"}}]]).encode()
DATASET = PUBLISHED_DATA["orz-57k"].dataset
COMMIT = "c" * 40


class Hub(BaseHTTPRequestHandler):
    """The two addresses of one dataset that the client asks for."""

    files: Mapping[str, bytes] = {"orz_math_57k_collection.json": CONTENT, "README.md": b"hello"}

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        file = path.removeprefix(f"/datasets/{DATASET}/resolve/main/")
        if path == f"/api/datasets/{DATASET}/tree/main":
            rows = [{"type": "file", "path": name, "size": len(body), "oid": "a"} for name, body in self.files.items()]
            self.send(json.dumps(rows).encode(), with_body=with_body)
        elif file in self.files:
            self.send(self.files[file], with_body=with_body)
        else:
            self.send_error(404)

    def send(self, body: bytes, *, with_body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silent."""


@contextmanager
def hub(handler: type[Hub], home: Path) -> Iterator[dict[str, str]]:
    """What the environment has to hold for the client to ask the stand-in."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_file_comes_from_the_hub_and_is_kept(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with hub(Hub, tmp_path / "home") as environment:
        first = orz_rl("data", "fetch", "--to", data, environment=environment, is_started=True).stdout
        assert f"SHA-256 {hashlib.sha256(CONTENT).hexdigest()}, differs from the publisher" in first
        again = orz_rl("data", "fetch", "orz-57k", "--to", data, environment=environment, is_started=True)
        assert "(already present)" in again.stdout
    (file,) = data.iterdir()
    assert [problem.gold for problem in read_problems([str(file)])] == ["2"]
    listed = orz_rl("data", "list", "--to", data).stdout
    assert "other content" in listed
    assert all(part in listed for each in PUBLISHED_DATA.values() for part in (each.file, each.dataset))
    assert "licence: MIT" in listed


class Ambiguous(Hub):
    """A dataset in which the right file cannot be identified."""

    files: Mapping[str, bytes] = {"a.json": CONTENT, "b.json": CONTENT}


@pytest.mark.parametrize(
    ("handler", "name", "reason"),
    [
        (Ambiguous, "orz-57k", "found 2 JSON files (a.json, b.json), wanted one"),
        (Hub, "orz-72k", "cannot be downloaded from the hub"),
    ],
)
def test_a_failed_download_is_reported_with_the_file_s_address(
    tmp_path: Path, handler: type[Hub], name: str, reason: str
) -> None:
    with hub(handler, tmp_path / "home") as environment:
        said = orz_rl(
            "data", "fetch", name, "--to", tmp_path / "data", expect=2, environment=environment, is_started=True
        ).stderr
    assert reason in said
    assert get_published(name).address in said
    assert not (tmp_path / "data").exists()


def test_content_is_compared_as_git_does(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"hello\n")
    data = PublishedData(file="x", about="", dataset="", git_blob="ce013625030ba8dba906f756967f9e9ca394464a")
    assert is_published_content(data, file)
    file.write_bytes(b"hello")
    assert not is_published_content(data, file)
    with pytest.raises(ConfigError, match="unknown training data"):
        get_published("orz-75k")


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_file_that_a_recipe_wants_is_known(recipe: str) -> None:
    config: DataConfig = RECIPES[recipe]().data
    files = set(config.source) - set(GENERATED)
    assert files <= {str(FOLDER / data.file) for data in PUBLISHED_DATA.values()}


def test_a_missing_file_of_a_recipe_says_where_it_comes_from(tmp_path: Path) -> None:
    done = orz_rl("check", "--recipe", "tiny", "data.source=data/orz_math_13k_collection_hard.json", expect=2)
    assert "Open-Reasoner-Zero published it (licence MIT): `orz-rl data fetch orz-13k-hard`" in done.stderr
    other = orz_rl("check", "--recipe", "tiny", f"data.source={tmp_path}/mine.json", expect=2)
    assert "published" not in other.stderr
