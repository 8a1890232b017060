"""The sandbox on corpora of programs: every legal one passes, no hostile one passes, escapes, or hangs the grader."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orz_bench.grading.jobs import Reply
from tests.support.programs import IMPATIENT, PROJECT, SETTINGS, Setting, a_judge, corpus, filled, packed

SUMS = packed(("3\n1 2\n3 4\n5 6\n", "3\n7\n11\n"), ("1\n-1 1\n", "0\n"), ("2\n0 9\n10 -20\n", "9\n-10\n"))
LEGAL = corpus("legal_programs")["input()"]


@pytest.fixture(params=[True, False], ids=["namespaces", "no namespaces"])
def namespaces(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_every_legal_way_of_reading_and_writing_passes(namespaces: bool) -> None:
    pytest.importorskip("numpy")
    programs = corpus("legal_programs")
    assert len(programs) >= 30
    with a_judge([SUMS], namespaces=namespaces) as judge:
        replies = judge.judge([(SUMS.digest, source) for source in programs.values()])
    failed = {title: reply.why for title, reply in zip(programs, replies, strict=True) if reply.verdict != "correct"}
    assert not failed


CANARY = """
import os
def refused(action):
    try:
        action()
    except OSError:
        return True
    return False
actions = [
    lambda: os.chmod("@FILE@", 0), lambda: os.truncate("@FILE@", 0), lambda: open("@FILE@"),
    lambda: open("@FILE@", "a"), lambda: os.unlink("@FILE@"), lambda: os.mkdir("@FOLDER@/x"),
    lambda: os.kill(os.getppid(), 0), os.fork,
]
print(os.getuid() != 0, [refused(action) for action in actions].count(True))
"""
"""What hostile programs must not be let loose without: it tries all kinds of harm on files that were made for it."""


class Bait:
    """A secret in every place that a hostile program could look into, and the traces of those that got there."""

    def __init__(self, folder: Path) -> None:
        self.secret = "secret-" + os.urandom(12).hex()
        self.folder = folder / "open to all"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.file = folder / "file"
        self.file.write_text(self.secret)
        self.file.chmod(0o666)
        self.visitors: list[str] = []
        self._datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._datagrams.bind(str(folder / "datagrams"))
        (folder / "datagrams").chmod(0o777)
        self._tcp, self._unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
        self._unix.bind(str(folder / "socket"))
        self._unix.listen()
        (folder / "socket").chmod(0o777)
        for server in (self._tcp, self._unix):
            threading.Thread(target=self._serve, args=(server,), daemon=True).start()

    @property
    def places(self) -> dict[str, str]:
        return {
            "TMP": "/tmp",
            "FILE": str(self.file),
            "FOLDER": str(self.folder),
            "PORT": str(self._tcp.getsockname()[1]),
            "SOCKET": str(self._unix.getsockname()),
            "DATAGRAMS": str(self._datagrams.getsockname()),
            "PID": str(os.getpid()),
        }

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            self.visitors.append("connected")
            with connection:
                connection.sendall(self.secret.encode())

    def datagrams(self) -> list[bytes]:
        """What was sent to the socket that takes it from anyone."""
        self._datagrams.setblocking(False)
        try:
            return [self._datagrams.recv(100)]
        except BlockingIOError:
            return []

    def close(self) -> None:
        self._datagrams.close()
        for server in (self._tcp, self._unix):
            server.shutdown(socket.SHUT_RDWR)
            server.close()


@pytest.fixture
def bait(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bait]:
    """In a folder that others than this user can get to."""
    with tempfile.TemporaryDirectory(prefix="bait-") as folder:
        Path(folder).chmod(0o755)
        bait = Bait(Path(folder))
        monkeypatch.setenv("ORZ_TEST_SECRET", bait.secret)
        yield bait
        bait.close()


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_no_hostile_program_passes_escapes_or_hangs(bait: Bait, setting: Setting) -> None:
    programs = corpus("hostile_programs", places=bait.places)
    assert len(programs) >= 105
    secret, lone = packed(("3\n1 2\n", bait.secret)), packed(("3\n1 2\n3 4\n5 6\n", "3\n7\n11\n"))
    canary = packed(("", "True 8"))
    modes = (bait.file.stat().st_mode, bait.folder.stat().st_mode, bait.file.stat().st_mtime)
    affinity, limit = os.sched_getaffinity(0), os.nice(0)
    (sings,) = setting.judge([canary], [(canary.digest, filled(CANARY, bait.places))], limits=IMPATIENT)
    assert sings.verdict == "correct", sings
    pairs = []
    for number, source in enumerate(programs.values()):
        pairs += [(secret.digest, source), (lone.digest, f"{LEGAL}# {number}"), (lone.digest, f"pass# {number}")]
    replies = setting.judge([secret, lone], pairs, limits=IMPATIENT)
    outcomes = dict(zip(programs, replies[::3], strict=True))
    assert {title: reply for title, reply in outcomes.items() if reply.verdict not in ("wrong", "timeout")} == {}
    assert {reply.verdict for reply in replies[1::3]} == {"correct"}, "the grader works on as before"
    assert {reply.verdict for reply in replies[2::3]} == {"wrong"}, "nothing is printed into another program"
    assert not any(bait.secret in reply.why.partition("wanted")[0] for reply in replies)
    assert bait.visitors == []
    assert bait.datagrams() == []
    assert list(bait.folder.iterdir()) == []
    assert bait.file.read_text() == bait.secret
    assert (bait.file.stat().st_mode, bait.folder.stat().st_mode, bait.file.stat().st_mtime) == modes
    assert (os.sched_getaffinity(0), os.nice(0)) == (affinity, limit)


def test_nothing_survives_a_closed_grader(namespaces: bool) -> None:
    with a_judge([SUMS], namespaces=namespaces) as judge:
        judge.judge([(SUMS.digest, LEGAL)])
        started = _supervisors()
    assert started
    _expect_gone(started)


def test_what_failed_is_said(namespaces: bool) -> None:
    programs = {
        "1/0": "test 1 of 3: it fails (ZeroDivisionError: division by zero)",
        "print(1)": "test 1 of 3: 1 line, wanted 3",
        "for _ in range(int(input())): print(0)": "test 1 of 3: line 1 is '0', wanted '3'",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "test 1 of 3: it is ended by a signal (SIGKILL)",
        "while True: pass": "test 1 of 3: it computes too long (more than 0.5 s)",
        "print('x' * 10**8)": "test 1 of 3: it prints too much (more than 1,048,576 bytes)",
        "def": "test 1 of 3: it fails (SyntaxError: invalid syntax)",
    }
    with a_judge(
        [SUMS], limits=IMPATIENT.__class__(cpu_s=0.5, wall_s=20, output_bytes=2**20), namespaces=namespaces
    ) as judge:
        replies = judge.judge([(SUMS.digest, source) for source in programs])
    assert {source: reply.why for source, reply in zip(programs, replies, strict=True)} == programs


def test_a_private_folder_vanishes() -> None:
    write = "import os\nopen('mine', 'w').write('x')\nos.mkdir('deep')\nprint(sorted(os.listdir('.')))"
    look = "import os\nprint(sorted(os.listdir('.')))"
    wrote, saw = packed(("", "['deep', 'mine']")), packed(("", "[]"))
    with a_judge([wrote, saw], num_workers=1) as judge:
        replies = judge.judge(
            [(wrote.digest, write), (saw.digest, look), (wrote.digest, write + " "), (saw.digest, look + " ")]
        )
    assert [reply.verdict for reply in replies] == ["correct"] * 4, replies


def test_functions_are_called_and_compared_outside(namespaces: bool) -> None:
    tests = packed(("[1, 2]\n3", "[1, 2, 3]"), ("[]\n0", "[0]"), function="add")
    always = "class Yes(list):\n    def __eq__(self, other): return True\n"
    call = "class Solution:\n    def add(self, values, value):\n        "
    programs = {
        f"{call}return values + [value]": "correct",
        f"{call}return tuple(values + [value])": "correct",
        f"{call}print('debug'); return [float(v) for v in values + [value]]": "correct",
        "def add(values, value): return [*values, value]": "correct",
        f"{call}return values": "wrong",
        f"{always}{call}return Yes()": "wrong",
        f"{call}return set(values) | {{value}}": "wrong",
        f"import json\njson.dumps = lambda *a, **k: '[1,2,3]'\n{call}return 1": "wrong",
        f"import os\n{call}os.write(3, b'[1,2,3]'); os._exit(0)": "wrong",
        f"{call}os.write(1, b'[1,2,3]'); return None": "wrong",
        f"{call}raise SystemExit(0)": "wrong",
        "class Solution: pass": "wrong",
    }
    with a_judge([tests], namespaces=namespaces) as judge:
        replies = judge.judge([(tests.digest, source) for source in programs])
    assert {source: reply.verdict for source, reply in zip(programs, replies, strict=True)} == programs


def test_a_killed_supervisor_costs_no_verdict() -> None:
    slow = f"import time\ntime.sleep(0.4)\n{LEGAL}"
    with a_judge([SUMS], num_workers=1) as judge:
        judge.check()
        replies: list[Reply] = []
        thread = threading.Thread(target=lambda: replies.extend(judge.judge([(SUMS.digest, slow)])))
        thread.start()
        time.sleep(0.2)
        for pid, _ in _supervisors():
            with suppress(ProcessLookupError):  # with its supervisor a program ends by itself
                os.kill(pid, 9)
        thread.join(timeout=1000)
        assert [reply.verdict for reply in replies] == ["correct"]


KILLED = """
import sys
from orz_bench.sandbox.limits import Limits, Program
from orz_bench.sandbox.pool import Sandbox
with Sandbox().session(Program(source="while True: pass"), limits=Limits(cpu_s=1000, wall_s=1000)) as session:
    print("ready", flush=True)
    session.run("")
"""


def test_nothing_survives_a_killed_grader(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=PROJECT) as grader:
        try:
            assert grader.stdout is not None
            assert grader.stdout.readline() == b"ready\n"
            while len(started := _descendants(grader.pid)) < 3:  # the supervisor, its namespace's first, the program
                assert grader.poll() is None
                time.sleep(0.01)
        finally:
            grader.kill()
    _expect_gone(started)


def _supervisors() -> set[tuple[int, str]]:
    """The sandbox's processes that this process started, directly or not."""
    return {found for found in _descendants(os.getpid()) if "orz_bench.sandbox" in _command(found[0])}


def _descendants(pid: int) -> set[tuple[int, str]]:
    """(process id, when it started) of all that this process started, directly or not."""
    parents = {int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    found, new = set[int](), {pid}
    while new:
        new = {child for child, (parent, _) in parents.items() if parent in new} - found
        found |= new
    return {(number, parents[number][1]) for number in found}


def _stat(pid: int) -> tuple[int, str]:
    """A process's parent, and when it started."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0, ""
    return int(fields[1]), fields[19]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _expect_gone(started: set[tuple[int, str]]) -> None:
    ends_at = time.monotonic() + 100
    while time.monotonic() < ends_at:
        if all(_stat(pid)[1] != when for pid, when in started):
            return
        time.sleep(0.05)
    pytest.fail("a process of the sandbox is still there")
