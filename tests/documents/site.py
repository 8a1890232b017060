"""Build the documentation site into build/site: `python -m tests.documents.site [PIP OPTION...]`.

mkdocs and its plugins live in an environment of their own, build/site-environment, made from requirements/site.txt; the
pages that come from the code are written by this one. A broken link or anchor, a page without a place in the navigation
and a name that mkdocstrings does not find are errors. Exit code 1 with what is wrong.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from requirements.install import UvCannotError, uv_install
from tests.documents.staging import stage
from tests.guards.tree import PROJECT

BUILD = PROJECT / "build"
ENVIRONMENT = BUILD / "site-environment"
LOCK = PROJECT / "requirements" / "site.txt"


def main(options: list[str]) -> int:
    """The exit code."""
    if fault := _environment(options):
        print(f"the site's environment cannot be made: {fault}", file=sys.stderr)
        return 1
    # Not with --quiet, which hides warnings from --strict too.
    command = [str(ENVIRONMENT / "bin" / "mkdocs"), "build", "--strict", "--config-file", str(stage(BUILD))]
    # The theme's notice about its successor: docs/decisions/0007-site-generator.md.
    done = subprocess.run(command, cwd=PROJECT, check=False, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    if done.returncode == 0:
        print(
            "the site is in build/site: open index.html; for its search: python -m http.server --directory build/site"
        )
    return done.returncode


def _environment(options: list[str]) -> str | None:
    """What went wrong; nothing is installed again while the lock is the same."""
    installed = ENVIRONMENT / "installed.txt"
    if installed.exists() and installed.read_bytes() == LOCK.read_bytes():
        return None
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    try:
        command, variables = uv_install(ENVIRONMENT, options)
    except UvCannotError:
        command, variables = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "-q", *options], {}
    done = subprocess.run(
        [*command, "--no-deps", "-r", str(LOCK)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )
    if done.returncode == 0:
        shutil.copyfile(LOCK, installed)
        return None
    return done.stderr.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
