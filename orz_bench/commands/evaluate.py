"""orz-bench eval."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from orz_bench.commands.data import data_folders
from orz_bench.terminal import libraries_on_stderr, print_result, reports_errors, result_console

if TYPE_CHECKING:
    from orz_bench.evaluation.session import EvalOptions

HEADLINE_BENCHMARKS = "aime24,aime25,math500,gpqa_diamond"
_MAX_PARTS = 20
"""Tables of more parts are left to orz-bench report."""


@reports_errors
def evaluate_command(
    ckpt: Annotated[str, typer.Option(help="Checkpoint folder, hub id, training run, or a model's name on a server.")],
    bench: Annotated[
        str, typer.Option(help="Benchmarks, separated by commas; lm-eval:TASK is a task of lm-eval.")
    ] = HEADLINE_BENCHMARKS,
    n: Annotated[int | None, typer.Option("--n", "-n", help="Samples a question [default: the protocol's].")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions of each benchmark.")] = None,
    ids: Annotated[str | None, typer.Option(help="Only the questions with these ids, separated by commas.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Only N random questions, the same for a seed.")] = None,
    engine: Annotated[str, typer.Option(help="auto, vllm, transformers, openai or fake.")] = "auto",
    protocol: Annotated[
        str | None, typer.Option(help="orz, r1, sober, greedy or lcb [default: the benchmark's, mostly orz].")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="0 is greedy [default: the protocol's].")] = None,
    top_p: Annotated[float | None, typer.Option(help="[default: the protocol's]")] = None,
    top_k: Annotated[int | None, typer.Option(help="-1 is off [default: the protocol's].")] = None,
    min_p: Annotated[float | None, typer.Option(help="0 is off [default: off].")] = None,
    presence_penalty: Annotated[float | None, typer.Option(help="0 is off [default: off].")] = None,
    frequency_penalty: Annotated[float | None, typer.Option(help="0 is off [default: off].")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(help="1 is off [default: off].")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="New tokens a sample [default: the protocol's].")] = None,
    template: Annotated[str | None, typer.Option(help="orz-code, orz-paper, chat, plain, few-shot or lcb.")] = None,
    system_prompt: Annotated[str | None, typer.Option(help="System message of the chat template.")] = None,
    template_args: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE for the chat template, such as enable_thinking=false; repeat it."),
    ] = None,
    extractor: Annotated[str | None, typer.Option(help="orz, boxed or final; lcb or fence for programs.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help="A stop string; repeat it for several; '' is none.")] = None,
    correct_errata: Annotated[bool, typer.Option(help="Use the right gold where the published one is wrong.")] = False,
    include_path: Annotated[
        list[Path] | None, typer.Option(help="A folder with your own tasks for lm-eval; repeat it for several.")
    ] = None,
    num_fewshot: Annotated[int | None, typer.Option(min=0, help="Worked examples of lm-eval's tasks.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where benchmark files lie.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory [default: runs/NAME, or the training run].")] = None,
    seed: Annotated[int, typer.Option(help="The run's seed.")] = 42,
    step: Annotated[int | None, typer.Option(help="Training step of the checkpoint, or which one of a run.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a checkpoint on the hub.")] = None,
    dtype: Annotated[
        str,
        typer.Option(help="bfloat16, float16, float32; auto: bfloat16 where the machine is fast at it, else float32."),
    ] = "auto",
    max_model_len: Annotated[int | None, typer.Option(help="Prompt and completion together, in tokens.")] = None,
    num_engines: Annotated[int, typer.Option(min=1, help="Data-parallel engines, over Ray.")] = 1,
    tensor_parallel: Annotated[int, typer.Option(min=1, help="GPUs an engine.")] = 1,
    gpu_memory_share: Annotated[float, typer.Option(help="Of each GPU, for vllm.")] = 0.9,
    batch_size: Annotated[int, typer.Option(min=1, help="Sequences at once, for transformers.")] = 32,
    base_url: Annotated[str, typer.Option(help="Of an OpenAI-compatible server.")] = "http://127.0.0.1:8000/v1",
    tokenizer: Annotated[
        str | None, typer.Option(help="Folder or hub id, for a model on a server [default: the checkpoint's].")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests in flight to a server.")] = 64,
    request_timeout: Annotated[float, typer.Option(min=1, help="Seconds that a server may take for an answer.")] = 1800,
    max_retries: Annotated[int, typer.Option(min=0, help="How often a server is asked again for an answer.")] = 6,
    continue_on_error: Annotated[
        bool, typer.Option(help="Keep a sample without an answer as a failed one, which counts as wrong.")
    ] = False,
    keep_tokens: Annotated[bool, typer.Option(help="Keep token ids and log-probs of every sample.")] = False,
    keep_broken_golds: Annotated[bool, typer.Option(help="Go on though a gold does not accept itself.")] = False,
    allow_weak_isolation: Annotated[
        bool, typer.Option(help="Run programs though this machine offers little to keep them in.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Grading processes [default: one a core].")] = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would be drawn, and three prompts; draw nothing.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of the table.")] = False,
    baseline: Annotated[str | None, typer.Option(help="A published model to show beside it [default: itself].")] = None,
) -> None:
    """Draw n answers to every question, grade them, and print avg@n with honest error bars.

    The same command again draws only what is missing; a larger --n adds samples to those that exist.
    """
    from orz_bench.evaluation.questions import Selection, parse_ids, parse_template_args
    from orz_bench.evaluation.session import EvalOptions

    changes: dict[str, object] = {
        "n": n,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "presence_penalty": presence_penalty,
        "frequency_penalty": frequency_penalty,
        "repetition_penalty": repetition_penalty,
        "max_tokens": max_tokens,
        "template": template,
        "extractor": extractor,
        "stop": tuple(filter(None, stop)) if stop else None,
        "correct_errata": correct_errata or None,
    }
    options = EvalOptions(
        checkpoint=ckpt,
        benchmarks=tuple(dict.fromkeys(parse_ids(bench))),
        engine=engine,
        protocol=protocol,
        protocol_changes={key: value for key, value in changes.items() if value is not None},
        limit=limit,
        seed=seed,
        step=step,
        data_folders=data_folders(data_dir),
        out=out,
        dtype=dtype,
        engine_settings={
            "tokenizer": tokenizer,
            "max_model_len": max_model_len,
            "num_engines": num_engines,
            "tensor_parallel": tensor_parallel,
            "gpu_memory_share": gpu_memory_share,
            "batch_size": batch_size,
            "base_url": base_url,
            "concurrency": concurrency,
            "request_timeout_s": request_timeout,
            "max_retries": max_retries,
            "continue_on_error": continue_on_error,
            "keep_tokens": keep_tokens,
        },
        include_paths=tuple(include_path or ()),
        num_fewshot=num_fewshot,
        selection=Selection(ids=parse_ids(ids), sample=sample, seed=seed),
        system_prompt=system_prompt,
        template_args=parse_template_args(template_args or ()),
        revision=revision,
        keep_broken_golds=keep_broken_golds,
        allow_weak_isolation=allow_weak_isolation,
        num_grading_workers=workers,
        command=("orz-bench", *sys.argv[1:]),
    )
    _run(options, dry_run=dry_run, json_output=json_output, baseline=baseline)


def _run(options: EvalOptions, *, dry_run: bool, json_output: bool, baseline: str | None) -> None:
    from orz_bench.commands.progress import ProgressDisplay
    from orz_bench.evaluation.session import preview_session, run_session
    from orz_bench.results.baselines import require_known
    from orz_bench.results.report import render_json, render_table

    beside = require_known(baseline) if baseline else None
    console = result_console()
    with libraries_on_stderr(), ProgressDisplay(Console(stderr=True)) as display:
        shown = preview_session(options, notice=display.notice) if dry_run else None
        results = [] if dry_run else run_session(options, observer=display, notice=display.notice)
    if shown is not None:
        print_result(shown)
        return
    if json_output:
        print_result(json.dumps(render_json(results), ensure_ascii=False))
        return
    console.print(render_table(results, max_parts=_MAX_PARTS, baseline=beside))
    console.print(f"rollouts: {results[0].run}/evals", markup=False, highlight=False, soft_wrap=True)
