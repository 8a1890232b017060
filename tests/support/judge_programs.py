"""A grader of programs as a process of its own, so that it can be another user: a request comes in, replies go out.

Started by tests.support.programs with a Python that anyone may read.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing

from orz_bench.grading.code.judge import CodeJudge
from orz_bench.records.program_tests import PackedTests
from orz_bench.sandbox.limits import Limits
from orz_bench.sandbox.pool import Sandbox


def main() -> None:
    request = json.load(sys.stdin)
    tests = {packed.digest: packed for packed in (PackedTests(**fields) for fields in request["tests"])}
    sandbox = Sandbox(namespaces=request["namespaces"])
    limits = Limits(**request["limits"])
    with closing(CodeJudge(tests, num_workers=request["num_workers"], limits=limits, sandbox=sandbox)) as judge:
        isolation = judge.check()
        replies = judge.judge([(gold, source) for gold, source in request["pairs"]])
    answer = {
        "namespaces": isolation.namespaces,
        "why": isolation.why_no_namespaces,
        "replies": [[reply.verdict, reply.why] for reply in replies],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
