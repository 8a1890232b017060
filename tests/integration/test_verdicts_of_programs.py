"""No verdict is forged: a test is judged once, nothing of one program reaches the next, none costs the grader much."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orz_bench.benchmarks.livecodebench import parse_tests
from orz_bench.sandbox.limits import Limits, Outcome, Program
from orz_bench.sandbox.pool import Sandbox, Session
from tests.support.programs import PROJECT, SETTINGS, Setting, a_judge, packed, python_for_everyone
from tests.support.shared_data import shared_data

MARKS = {
    "a module": ("import math", "hasattr(math, 'seen')", "math.seen = True"),
    "a module without a suspicious word": ("import math\nimport collections", "'seen' in dir(math)", "math.seen = 1"),
    "a module by another name": ("import heapq as h\nm = [h][0]", "'seen' in dir(m)", "m.seen = 1"),
    "a built-in name": ("import builtins", "'seen' in dir(builtins)", "builtins.seen = 1"),
    "a class": ("from collections import Counter", "'seen' in dir(Counter)", "Counter.seen = 1"),
    "a function": ("from heapq import merge", "'seen' in dir(merge)", "merge.seen = 1"),
    "sys.modules": ("import sys", "'seen' in sys.modules", "sys.modules['seen'] = sys"),
    "sys.path": ("import sys", "'seen' in sys.path", "sys.path.append('seen')"),
    "the environment": ("import os", "'seen' in os.environ", "os.environ['seen'] = '1'"),
    "a file": ("import os", "os.path.exists('seen')", "open('seen', 'w')"),
    "a list of a module": ("import json", "'seen' in json.__all__", "json.__all__.append('seen')"),
    "a dictionary of a module": ("import json", "1 in json.decoder.BACKSLASH", "json.decoder.BACKSLASH[1] = 1"),
    "random numbers": ("import random", "random.random() == random.Random(7).random()", "random.seed(7)"),
    "the recursion limit": ("import sys", "sys.getrecursionlimit() == 777", "sys.setrecursionlimit(777)"),
    "an import": ("import sys", "'colorsys' in sys.modules", "import colorsys"),
    "a descriptor": ("import os", "os.dup(0) > 6", "os.dup(0)"),
}
"""What a program could leave for its next test: (imports, whether it is there, how it is left)."""


@pytest.mark.parametrize("mark", MARKS)
def test_a_test_finds_nothing_of_the_one_before(mark: str) -> None:
    imports, is_there, leave = MARKS[mark]
    source = f"{imports}\nprint(input(), 'again' if {is_there} else 'first')\ntry:\n    {leave}\nexcept OSError: pass"
    tests = packed(*((name, f"{name} first") for name in "abc"))
    lines = [*imports.split("\n"), f"found = 'again' if {is_there} else 'first'", f"try: {leave}"]
    lines += ["except OSError: pass", "return found"]
    function = "class Solution:\n    def f(self, x):\n" + "\n".join(f"        {line}" for line in lines)
    calls = packed(*((f'"{name}"', '"first"') for name in "abc"), function="f")
    with a_judge([tests, calls], num_workers=1) as judge:
        replies = judge.judge([(tests.digest, source), (calls.digest, function)])
    assert [reply.verdict for reply in replies] == ["correct"] * 2, replies


TWO_TRIES = """
import math, sys
is_first = not hasattr(math, "seen")
math.seen = True
print({first!r} if is_first else {later!r})
"""
WITHOUT_WORDS = """
import math, sys
try:
    is_first = math.seen < 0
except AttributeError:
    is_first = True
math.seen = 1
print({first!r} if is_first else {later!r})
"""


def two_answer_problems() -> list[tuple[dict[str, object], list[str]]]:
    """Problems with two different outputs, and these."""
    text = (shared_data() / "eval" / "livecodebench_v5_880.jsonl").read_text("utf-8")
    found = []
    for row in map(json.loads, text.splitlines()):
        words = sorted({test["output"].strip() for test in row["public_test_cases"]})
        if len(words) == 2 and not row["metadata"].get("func_name"):
            found.append((row, words))
    return found


def test_no_program_has_two_tries() -> None:
    """A sixth of the problems; benchmarks/code_grading.py asks all of them."""
    problems = two_answer_problems()[::6]
    assert len(problems) >= 30
    tests = [parse_tests(row) for row, _ in problems]
    pairs = []
    for item, (_, (first, later)) in zip(tests, problems, strict=True):
        for program in (TWO_TRIES, WITHOUT_WORDS):
            pairs += [(item.digest, program.format(first=a, later=b)) for a, b in ((first, later), (later, first))]
    with a_judge(tests) as judge:
        replies = judge.judge(pairs)
    assert [reply for reply in replies if reply.verdict != "wrong"] == []


def test_each_test_is_run_once_whatever_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """So luck is tried once: a program that guesses passes as often as it guesses right."""
    runs: list[Outcome] = []
    original = Session.run

    def counted(self: Session, text: str, *, is_fresh: bool = False, output_bytes: int | None = None) -> Outcome:
        runs.append(original(self, text, is_fresh=is_fresh, output_bytes=output_bytes))
        return runs[-1]

    monkeypatch.setattr(Session, "run", counted)
    tests = packed(("1", "Yes"), ("2", "Yes"), ("3", "No"), ("4", "Yes"))
    for source in ("print('Yes')", "import os\nprint('Yes')", "import math\nmath.seen = 1\nprint('Yes')"):
        with a_judge([tests], num_workers=1) as judge:
            assert judge.judge([(tests.digest, source)])[0].why.startswith("test 3 of 4")
    assert len(runs) == 9
    assert [run.was_reused for run in runs] == [False, True, True, *[False] * 6]


LATE_WRITERS = {
    "a timer with a handler": """
import os, signal
signal.signal(signal.SIGALRM, lambda *_: os.write(1, b"forged\\n"))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
""",
    "a thread that threading does not know": """
import _thread, os
def write():
    while True:
        os.write(1, b"forged\\n")
_thread.start_new_thread(write, ())
""",
    "the word for the end of a test": """
import os, time
os.write(4, b".")
os.write(4, b"." * 16)
while True:
    os.write(1, b"forged\\n")
""",
    "a guess of the word by what is known": """
import gc, os, sys
frame = sys._getframe()
words = set()
while frame:
    words |= {value for value in frame.f_locals.values() if isinstance(value, bytes) and len(value) == 16}
    frame = frame.f_back
for word in words:
    os.write(4, word)
while True:
    os.write(1, b"forged\\n")
""",
    "a timer of the kernel": """
import ctypes, os, signal
signal.signal(signal.SIGALRM, lambda *_: os.write(1, b"forged\\n"))
libc = ctypes.CDLL(None)
timer = ctypes.c_void_p()
libc.timer_create(0, None, ctypes.byref(timer))
libc.timer_settime(timer, 0, (ctypes.c_long * 4)(0, 10**6, 0, 10**6), None)
""",
    "at the end": """
import atexit, os, threading, time
def late():
    for _ in range(10):
        time.sleep(0.02)
        os.write(1, b"forged\\n")
atexit.register(late)
threading.Thread(target=late, daemon=True).start()
""",
    "a full pipe": """
import os
os.set_blocking(1, False)
try:
    while True:
        os.write(1, b"forged\\n" * 500)
except BlockingIOError:
    pass
os._exit(0)
""",
    "a descriptor that is under way": """
import array, os, socket
a, b = socket.socketpair()
socket.send_fds(a, [b"x"], [1, 2, b.fileno()])
os.write(1, b"forged\\n")
os._exit(0)
""",
}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_nothing_of_a_program_is_printed_into_the_next(setting: Setting) -> None:
    mine, forged = packed(("", "mine\n"), ("", "mine")), packed(("", "forged"))
    tail = "print('mine')"
    pairs = []
    for number, (_, attack) in enumerate(LATE_WRITERS.items()):
        for padding in range(2):
            pairs.append((mine.digest, f"{attack}\n{tail}# {padding}"))
            pairs.append((mine.digest, f"{tail}# {number} {padding}"))
            pairs.append((forged.digest, f"pass# {number} {padding}"))
    replies = setting.judge([mine, forged], pairs, limits=Limits(cpu_s=0.5, wall_s=2.0))
    assert [reply.verdict for reply in replies[1::3]] == ["correct"] * (len(replies) // 3)
    assert [reply.verdict for reply in replies[2::3]] == ["wrong"] * (len(replies) // 3)


SCAN = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
reader, writer = os.pipe()
page = 4096
def pages(first, step):
    misses = 0
    while misses < 3000 and 0 < first < 2**47:
        if libc.write(writer, first, page) == page:
            misses = 0
            yield os.read(reader, page)
        else:
            misses += 1
        first += step
own = b"own-" + b"text-1"
first = id(object()) // page * page
top = libc.sbrk(0) // page * page
found = set()
for start, step in ((first, page), (first - page, -page), (top, -page)):
    for content in pages(start, step):
        for text in (b"ker-of-the-program", b"ker-of-the-input", own):
            at = content.find(text)
            if at >= 3 and (text is own or content[at - 3 : at] == b"mar"):
                found.add(text.decode())
print(sorted(found), "own-text-1" != "")
"""


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_no_program_finds_an_earlier_one_in_its_memory(setting: Setting) -> None:
    before = packed(("marker-of-the-input-before", "x"), ("marker-of-the-input-before", "x"))
    scan = packed(("", "['own-text-1'] True"))
    long = [" " * 1500 * number + "# marker-of-the-program-before" for number in range(1, 7)]
    earlier = [(before.digest, f"print('x')\n#{text}") for text in long]
    replies = setting.judge([before, scan], [*earlier, (scan.digest, SCAN)], limits=Limits(cpu_s=20, wall_s=60))
    assert [reply.verdict for reply in replies[:-1]] == ["correct"] * 6
    assert replies[-1].verdict == "correct", replies[-1].why


@pytest.fixture(params=[True, False], ids=["namespaces", "no namespaces"])
def session_of(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    sandbox = Sandbox() if request.param else Sandbox(namespaces=False, python=python_for_everyone())
    yield sandbox
    sandbox.close()


def output(sandbox: Sandbox, source: str) -> str:
    with sandbox.session(Program(source=source), limits=Limits()) as session:
        return session.run("").output


PATHS = """
import os, sys, traceback
print(sys.orig_argv, sys.argv, sys.executable, sys.path, sys.prefix, dict(os.environ), os.getcwd())
print([getattr(module, "__file__", None) for module in list(sys.modules.values())])
frame = sys._getframe()
while frame:
    print(frame.f_code.co_filename)
    frame = frame.f_back
for name in ("cmdline", "environ", "maps", "mounts"):
    try:
        print(open(f"/proc/self/{name}").read())
    except OSError:
        pass
try:
    import orz_bench.grading
except ImportError as error:
    print(error)
"""


def test_where_the_grader_lies_is_not_to_be_seen(session_of: Sandbox) -> None:
    printed = output(session_of, PATHS)
    assert "orz_bench.sandbox.program" in printed
    assert str(PROJECT) not in printed
    assert "No module named 'orz_bench.grading'" in printed


THREADS = """
import _thread, time
lock, num = _thread.allocate_lock(), 0
lock.acquire()
_thread.stack_size(32768)
try:
    for _ in range(3000):
        _thread.start_new_thread(lock.acquire, ())
        num += 1
except RuntimeError:
    pass
print(num)
"""


def test_threads_are_counted(session_of: Sandbox) -> None:
    assert int(output(session_of, THREADS)) < Limits().threads


def test_every_process_of_a_program_has_the_same_number() -> None:
    """Or a program could count tests, and tell the next one something by starting threads."""
    sandbox = Sandbox()
    try:
        if not sandbox.check().namespaces:
            pytest.skip("this machine has no namespaces")
        show = "import os, threading\nprint(os.getpid())\nfor _ in range(20): threading.Thread(target=int).start()"
        found = {output(sandbox, show) for _ in range(3)}
    finally:
        sandbox.close()
    assert len(found) == 1


def test_a_guess_passes_as_often_as_it_is_right() -> None:
    """Six standard deviations around a half; with two tries it would be three quarters."""
    tests = packed(("", "Yes"))
    guess = "import math, random\nmath.seen = True\nprint(random.choice(['Yes', 'No']))"
    with a_judge([tests]) as judge:
        replies = judge.judge([(tests.digest, f"{guess}# {number}") for number in range(240)])
    assert 74 < sum(reply.verdict == "correct" for reply in replies) < 166


def test_a_plain_program_keeps_its_process_and_gets_the_same_verdict_without() -> None:
    programs = [
        "print(sum(map(int, input().split())))",
        "class A:\n    def __init__(self): self.x = 1\nprint(A().x + 2)",
    ]
    sandbox = Sandbox()
    try:
        for source in [*programs, *(f"import sys\n{source}\nsys.setrecursionlimit(200)" for source in programs)]:
            with sandbox.session(Program(source=source), limits=Limits()) as session:
                runs = [session.run("1 2") for _ in range(3)]
                fresh = session.run("1 2", is_fresh=True)
            assert [run.was_reused for run in runs] == [False, True, True]
            assert {(run.output, run.ended) for run in (*runs, fresh)} == {("3\n", "normally")}
            assert not fresh.was_reused
    finally:
        sandbox.close()


def test_no_process_is_left_after_the_last_test() -> None:
    """It would go on computing, and hold what it holds, until the next program comes."""
    sandbox = Sandbox()
    try:
        with sandbox.session(Program(source="print(1)"), limits=Limits()) as session:
            session.run("")
            during = programs_of(os.getpid())
        after = programs_of(os.getpid())
    finally:
        sandbox.close()
    assert len(during) == len(after) + 1


def programs_of(pid: int) -> list[int]:
    """Processes below this one that have a filter of system calls in force."""
    parents, found = {}, []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal():
                fields = dict(line.split(":\t", 1) for line in (entry / "status").read_text().splitlines())
                parents[int(entry.name)] = int(fields["PPid"])
                found += [int(entry.name)] if fields["Seccomp"].strip() == "2" else []

    def is_below(number: int) -> bool:
        return number == pid or (number in parents and is_below(parents[number]))

    return [number for number in found if is_below(number)]
