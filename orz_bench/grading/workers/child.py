"""Python processes of our own modules, started with a socket and their settings, and without the caller's streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[3])


def start_module(
    module: str, settings: Mapping[str, Any], *, descriptor: int, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Run `main()` of a module, whose first argument is JSON of the settings, the descriptor and our process id.

    The folder of the current directory is not on its path (-P): no file there can replace a module.
    """
    code = f"import sys; sys.path.append(sys.argv[1]); from {module} import main; main()"
    whole = {**settings, "descriptor": descriptor, "parent_pid": os.getpid()}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, _PACKAGE_PARENT, json.dumps(whole)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[descriptor],
        env=os.environ | dict(environment or {}),
    )
