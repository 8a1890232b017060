"""Would the tests notice? Small mutations of the core modules, each run against the tests of its module.

    python benchmarks/mutation.py [--seed N] [--num N] [--module NAME ...] [--work FOLDER]

A mutant changes one operator, constant, comparison or branch (_mutants.py). It is written into a copy of the project,
so that processes which the tests start see it, and its tests run in a process forked from one that has the libraries
loaded. A mutant whose tests take far more time than they should counts as noticed. Verdicts are kept in --work, by the
module's text, its tests and the mutation: the same command resumes. Mutants that change nothing observable are listed
with a reason in equivalent_mutants.json. The result is results/mutation.json.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from _mutants import Mutant, mutants
from _record import HERE, keep

PROJECT = HERE.parent
FOLDERS = ("orz_bench", "orz_rl", "analysis", "app", "tests", "requirements", "docs")
MODULES: dict[str, tuple[str, ...]] = {
    "orz_rl.ppo.advantages": (),
    "orz_rl.ppo.batch": (),
    "orz_rl.ppo.estimate": (),
    "orz_rl.ppo.losses": ("orz_rl/ppo/test_kl_gradients.py",),
    "orz_rl.ppo.packed_forward": (),
    "orz_rl.ppo.packing": (),
    "orz_bench.extraction.answers": ("orz_bench/grading/test_grader.py", "orz_bench/extraction/test_responses.py"),
    "orz_bench.extraction.letters": (
        "orz_bench/extraction/test_statements.py",
        "orz_bench/extraction/test_mmlu_pro_letters.py",
    ),
    "orz_bench.grading.grader": ("orz_bench/grading/test_instructions.py",),
    "orz_bench.grading.math.strict": ("orz_bench/grading/surface/test_compare.py", "../integration/test_answers.py"),
    "orz_bench.grading.surface.compare": ("../integration/test_answers.py",),
    "orz_bench.evaluation.recorder": ("orz_bench/evaluation/test_evaluate.py",),
    "orz_bench.records.intervals": ("orz_bench/results/test_statistics.py",),
    "orz_bench.records.parquet": ("orz_bench/records/test_run_dir.py",),
    "orz_bench.records.run_dir": ("orz_bench/evaluation/test_session.py",),
    "orz_bench.results.comparison": ("orz_bench/results/test_report.py",),
    "orz_bench.results.statistics": ("orz_bench/records/test_intervals.py",),
    "analysis.curves.compare": (),
    "analysis.step_moment.joint": (),
    "analysis.step_moment.measure": (),
    "analysis.step_moment.scan": (),
    "analysis.step_moment.significance": (),
    "analysis.step_moment.shapes": ("analysis/step_moment/test_scan.py",),
}
"""Module: tests beside its own (tests/unit/PACKAGE/.../test_NAME.py), below tests/unit."""
SELECTION = "not slow and not real_model"
EQUIVALENT = HERE / "equivalent_mutants.json"


def main() -> None:
    """Sample, run what has no verdict yet, and keep the result."""
    options = arguments()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    lock = (work / ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"another run is at work in {work}; name another folder with --work")
    copy, verdicts = work / "copy", Verdicts(work / "verdicts.jsonl")
    if copy.exists():
        shutil.rmtree(copy)
    for folder in FOLDERS:
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile"):
        shutil.copy(PROJECT / file, copy / file)
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(copy))
    os.chdir(copy)
    names = options.module or list(MODULES)
    per_module = -(-options.num // len(names))
    rows = []
    for name in names:
        rows += run_module(
            name, sample(name, per_module, options.seed), copy=copy, verdicts=verdicts, is_run=not options.known
        )
    result = summary(rows, seed=options.seed)
    if options.module:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        keep("mutation", result)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num", type=int, default=360, help="mutants in all, the same number of each module")
    parser.add_argument("--module", action="append", choices=list(MODULES), help="only this one; nothing is kept")
    parser.add_argument("--known", action="store_true", help="run nothing: only the mutants that have a verdict")
    parser.add_argument("--work", type=Path, default=PROJECT / "runs" / "mutation")
    return parser.parse_args()


def source_of(name: str, root: Path) -> Path:
    return root / (name.replace(".", "/") + ".py")


def tests_of(name: str) -> list[str]:
    package, _, module = name.rpartition(".")
    own = f"{package.replace('.', '/')}/test_{module}.py"
    paths = [f"tests/unit/{path}" for path in (own, *MODULES[name])]
    return [path for path in dict.fromkeys(paths) if Path(path).exists()]


def sample(name: str, number: int, seed: int) -> list[Mutant]:
    found = mutants(source_of(name, PROJECT).read_text(encoding="utf-8"))
    return random.Random(f"{seed} {name}").sample(found, min(number, len(found)))


class Verdicts:
    """What was found, by the module's text, its tests' text and the mutation: a changed module or test is run again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._known = {tuple(row[:2]): row[2] for row in map(json.loads, lines)}

    def get(self, about: str, key: str) -> str | None:
        return self._known.get((about, key))

    def put(self, about: str, key: str, verdict: str) -> None:
        self._known[about, key] = verdict
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([about, key, verdict]) + "\n")


def run_module(
    name: str, chosen: list[Mutant], *, copy: Path, verdicts: Verdicts, is_run: bool
) -> list[dict[str, Any]]:
    """One row a mutant that has a verdict; unless `is_run` is false, all have one afterwards."""
    file, tests = source_of(name, copy), tests_of(name)
    original = file.read_text(encoding="utf-8")
    contents = [
        path.read_bytes()
        for test in tests
        for path in sorted([Path(test), *Path(test).rglob("*.py")])
        if path.is_file()
    ]
    about = f"{name} {hashlib.sha256(b''.join([original.encode(), *contents])).hexdigest()[:16]}"
    equivalent = reasons(name, original)
    missing = [mutant for mutant in chosen if verdicts.get(about, mutant.key) is None]
    if missing and is_run:
        seconds = preload(name, tests)
        try:
            for mutant in missing:
                file.write_text(mutant.of(original), encoding="utf-8")
                verdict = run_tests(tests, cpu_s=4 * seconds + 20)
                verdicts.put(about, mutant.key, verdict)
                print(f"{verdict:8} {name}:{mutant.line} {mutant.key}", flush=True)
        finally:
            file.write_text(original, encoding="utf-8")
    return [
        {
            "module": name,
            "mutant": mutant.key,
            "verdict": verdicts.get(about, mutant.key),
            "equivalent": equivalent.get(mutant.key),
        }
        for mutant in chosen
        if verdicts.get(about, mutant.key) is not None
    ]


def reasons(name: str, source: str) -> dict[str, str]:
    """Why some mutants of the module change nothing observable, by key. Ends the script for one that is no mutant."""
    found: dict[str, str] = json.loads(EQUIVALENT.read_text(encoding="utf-8")).get(name, {})
    if unknown := sorted(found.keys() - {mutant.key for mutant in mutants(source)}):
        sys.exit(f"{EQUIVALENT.name}: {name} has no mutant {unknown[0]!r} (any more); remove the entry")
    return found


def preload(name: str, tests: list[str]) -> float:
    """Load the libraries that the tests load; returns the CPU seconds of the tests. They have to pass."""
    listing = Path("modules.txt")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    verdict = run_tests(tests, cpu_s=600, listing=listing)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if verdict != "survived":
        sys.exit(f"{name}: its tests do not pass without a mutation; see {Path('tests.log').resolve()}")
    for module in listing.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_tests(tests: list[str], *, cpu_s: float, listing: Path | None = None) -> str:
    """`survived` where every test passes, `killed` where one fails or nothing can be imported, else `timeout`."""
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s), int(cpu_s) + 5))
        output = os.open("tests.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = 3
        try:
            import pytest

            code = int(pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-m", SELECTION, *tests]))
            if listing is not None:
                listing.write_text("\n".join(libraries()), encoding="utf-8")
        finally:
            os._exit(code)
    ends_at = time.monotonic() + 20 * cpu_s  # for those that wait without computing
    while (done := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < ends_at:
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(done[1]) if done[0] else os.waitpid(child, 0) and -signal.SIGKILL
    return "survived" if code == 0 else "timeout" if code < 0 else "killed"


def libraries() -> list[str]:
    """What was imported from installed packages, but for pytest's own plugins."""
    return [
        name
        for name, module in sys.modules.items()
        if "site-packages" in (getattr(module, "__file__", None) or "") and "pytest" not in name and "xdist" not in name
    ]


def summary(rows: list[dict[str, Any]], *, seed: int) -> dict[str, Any]:
    """Counts by module, and who survived, with the reason where a mutant changes nothing."""
    equivalent = [row for row in rows if row["equivalent"] is not None and row["verdict"] == "survived"]
    noticed = sum(row["verdict"] != "survived" for row in rows)
    num_counted = len(rows) - len(equivalent)
    return {
        "seed": seed,
        "num_mutants": len(rows),
        "num_equivalent": len(equivalent),
        "num_noticed": noticed,
        "share_noticed": round(noticed / num_counted, 4),
        "modules": {
            name: {
                "mutants": sum(row["module"] == name for row in rows),
                "equivalent": sum(row["module"] == name for row in equivalent),
                "noticed": sum(row["module"] == name and row["verdict"] != "survived" for row in rows),
            }
            for name in dict.fromkeys(row["module"] for row in rows)
        },
        "survivors": [row for row in rows if row["verdict"] == "survived"],
    }


if __name__ == "__main__":
    main()
