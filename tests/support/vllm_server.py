"""vLLM's OpenAI server on a CPU, twice over one engine: without a reasoning parser and with one; and a thinking model.

Applications, routes and parsers are vLLM's. What is ours is that both applications share an engine, which runs in a
process forked from this one: a start takes a quarter of the CPU time of two servers.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orz_bench.asking.templates import ORZ_CODE_PARTS
from orz_rl.assets.resolve import TINY
from tests.support.command_line import ENVIRONMENT
from tests.support.preloaded import ForkedCommand

NAME = "tiny"
PARSERS = (None, "deepseek_r1")
_TURNS = "{% for message in messages %}{{ message.content.partition('\\n\\nPlease')[0] }}{% endfor %}"
_TEMPLATE = _TURNS.join(ORZ_CODE_PARTS)
_VARIABLES = {
    "HF_HUB_OFFLINE": "1",
    "OMP_WAIT_POLICY": "passive",
    "TORCH_COMPILE_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
}


def a_thinking_model(folder: Path) -> Path:
    """The embedded model, which thinks before it answers, with a chat template that opens the thought as DeepSeek's."""
    shutil.copytree(TINY, folder)
    (folder / "chat_template.jinja").write_text(_TEMPLATE, encoding="utf-8")
    return folder


@contextmanager
def serving(model: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """The addresses of the server without a reasoning parser and of the one with it, which run meanwhile."""
    told = folder / "addresses.json"
    command = ForkedCommand(__name__, (str(model), str(told)), environment=ENVIRONMENT | _VARIABLES)
    try:
        while not told.exists() or not all(map(_answers, addresses := json.loads(told.read_text(encoding="utf-8")))):
            assert command.poll() is None, command.communicate()
            time.sleep(0.1)
        yield addresses[0], addresses[1]
    finally:
        command.send_signal(signal.SIGTERM)
        command.wait(60)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/models", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def main() -> None:
    """Serve the model of argv[1] until it is ended; the addresses go to the file argv[2] when both answer."""
    model, told = sys.argv[1:3]
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # may have children
    asyncio.run(_serve(model, Path(told)))


async def _serve(model: str, told: Path) -> None:
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.entrypoints.launchers.api_server.entry import build_and_serve
    from vllm.entrypoints.launchers.launcher import setup_server
    from vllm.v1.engine.async_llm import AsyncLLM

    each = [_arguments(model, parser) for parser in PARSERS]
    config = AsyncEngineArgs.from_cli_args(each[0]).create_engine_config()
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "fork"
    engine = AsyncLLM.from_vllm_config(config)
    try:
        servers = []
        for args in each:
            address, sock = setup_server(args, reuse_port=False)
            args.port = sock.getsockname()[1]
            servers.append(build_and_serve(engine, address, sock, args))
        part = told.with_suffix(".part")
        part.write_text(json.dumps([f"http://127.0.0.1:{args.port}/v1" for args in each]), encoding="utf-8")
        part.rename(told)
        await asyncio.gather(*servers)
    finally:
        engine.shutdown(timeout=0)


def _arguments(model: str, parser: str | None) -> Any:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    words = ["--model", model, "--served-model-name", NAME, "--host", "127.0.0.1", "--port", "0"]
    words += ["--dtype", "float32", "--max-model-len", "1024", "--enforce-eager", "--max-num-seqs", "16"]
    words += ["--max-num-batched-tokens", "1024", "--distributed-executor-backend", "uni"]
    words += ["--structured-outputs-config", json.dumps({"reasoning_parser": parser})] if parser else []
    args = make_arg_parser(FlexibleArgumentParser()).parse_args(words)
    validate_parsed_serve_args(args)
    return args
