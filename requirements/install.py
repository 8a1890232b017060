"""Make the environment: `python requirements/install.py .venv/.ready-1 LOCK [PIP OPTION...]`, as `make setup` does.

The folder of the first argument becomes the environment, with the packages of the lock and the project as an editable
install; the file itself is written last. uv installs the lock, from the indexes that pip is configured with; pip does
where uv is not available or fails. Until everything is checked the environment holds the file `.installing`: an
interrupted installation starts from nothing the next time, and a second one that is started meanwhile waits.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

UV = "uv>=0.8,<1"
MARK = ".installing"
BOOTSTRAP = ".bootstrap"
"""The folder in the environment that uv is installed into where it is not on PATH."""
NEEDED_GB = 5.5
"""On disk while the lock is installed; a little less remains."""

# pip's settings, by their names in its configuration, and what uv calls them.
ARGUMENTS = {
    "index-url": "--index-url",
    "extra-index-url": "--extra-index-url",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
    "constraint": "--constraint",
}
VARIABLES = {
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
    "retries": ("UV_HTTP_RETRIES",),
}
FLAGS = {"no-index": "--no-index"}
# Settings that decide nothing about which packages are installed.
WITHOUT_EFFECT = {"cache-dir", "config-file", "log", "progress-bar", "root-user-action"}
FLAGS_WITHOUT_EFFECT = {
    "disable-pip-version-check", "no-cache-dir", "no-color", "no-compile", "no-input", "no-python-version-warning",
    "no-warn-script-location", "pre", "prefer-binary", "quiet", "require-virtualenv", "verbose",
}  # fmt: skip
SHORT = {"index-url": "-i", "find-links": "-f", "constraint": "-c", "quiet": "-q", "verbose": "-v"}
REPEATABLE = {"extra-index-url", "find-links", "trusted-host", "constraint"}
"""pip adds what its command line says of these to what its configuration says; of the others the last one counts."""


class FailedError(Exception):
    """A step did not do what it should; the message says what to do."""


class UvCannotError(Exception):
    """Why pip has to install the lock."""


def main() -> int:
    """The exit code: 0 where the environment is ready, 130 after Ctrl-C."""
    stamp, lock, *pip_options = sys.argv[1:]
    try:
        with at_work_alone(Path(stamp)) as is_to_do:
            if is_to_do:
                install(Path(stamp).parent, Path(lock), pip_options)
                Path(stamp).touch()
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextmanager
def at_work_alone(stamp: Path) -> Iterator[bool]:
    """Whether something is to be done; while it lasts the mark is locked, and it is removed where nothing is raised."""
    environment = stamp.parent
    mark = environment / MARK
    while not stamp.exists() or mark.exists():
        environment.mkdir(parents=True, exist_ok=True)
        was_there = mark.exists()
        with mark.open("a") as file:
            os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - positional only
            _lock(file.fileno())
            if not (mark.exists() and mark.samefile(f"/dev/fd/{file.fileno()}")):
                continue  # another process finished while this one waited
            if was_there:
                _empty(environment, but=mark)
            for old in environment.glob(".ready-*"):
                old.unlink()
            yield True
            mark.unlink()
            return
    yield False


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another `make setup` is at work here; waiting for it.", flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        return


def _empty(folder: Path, *, but: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path != but:
            path.unlink()


def install(environment: Path, lock: Path, pip_options: Sequence[str]) -> None:
    """Everything between an empty folder and a checked environment. FailedError names the step that failed."""
    if not (environment / "bin" / "python").exists():  # an update replaces a few packages
        require_space(environment, shutil.disk_usage(environment).free / 1e9)
    print(f"Making {environment} from {lock}: a minute or two and 5 GB, once.", flush=True)
    _run(
        [sys.executable, "-m", "venv", str(environment)],
        otherwise=f"{sys.executable} cannot make an environment; on Debian and Ubuntu install the package python3-venv",
    )
    python = str(environment / "bin" / "python")
    try:
        install_with_uv(environment, lock, pip_options)
    except UvCannotError as error:
        print(f"pip installs the packages, which takes several minutes: {error}.", flush=True)
        _run([*_pip(python), *pip_options, "-r", str(lock)], otherwise=f"pip could not install {lock}; see above")
    _run(
        [python, str(Path(__file__).with_name("check_lock.py")), str(lock)],
        otherwise=f"{environment} is not what {lock} says; see above",
    )
    _run(
        [*_pip(python), "--no-build-isolation", "--editable", "."],
        otherwise="the project could not be installed; see above",
    )
    shutil.rmtree(environment / BOOTSTRAP / "cache", ignore_errors=True)
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        # Elsewhere a module is compiled when it is first imported. Here nothing would ever be kept, and every start of
        # a program would compile torch and vLLM again, which takes twenty seconds.
        _call([python, "-m", "compileall", "-qq", "-j", "0", str(environment / "lib")])


def require_space(folder: Path, free_gb: float) -> None:
    """A full disk is found by whatever writes next, minutes later, and seldom said. FailedError if it would be full."""
    if free_gb < NEEDED_GB:
        raise FailedError(
            f"{folder.resolve()}: {free_gb:.1f} GB are free on this disk, and the packages need {NEEDED_GB}; "
            "delete something, or clone the project to another disk"
        )


def install_with_uv(environment: Path, lock: Path, pip_options: Sequence[str]) -> None:
    """Install the lock as pip would. UvCannotError says why that is not possible."""
    command, variables = uv_install(environment, pip_options)
    done = _call([*command, "--no-deps", "-r", str(lock)], variables)
    if done.returncode != 0:
        lines = [line.strip(" ×│├╰─▶") for line in re.sub("://[^/@]*@", "://", done.stderr).splitlines()]
        raise UvCannotError("uv failed (" + " ".join(line for line in lines if line)[:300] + ")")


def uv_install(environment: Path, pip_options: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """(a `uv pip install` into the environment, from where pip would install; its variables). Raises UvCannotError."""
    python = str(environment / "bin" / "python")
    arguments, variables = uv_options(pip_settings(_call([python, "-m", "pip", "config", "list"]).stdout), pip_options)
    folder = environment / BOOTSTRAP
    uv = shutil.which("uv")
    if uv is None or _call([uv, "--version"]).returncode != 0:
        uv = str(folder / "bin" / "uv")
        if _call([*_pip(python), *pip_options, "--upgrade", "--target", str(folder), UV]).returncode != 0:
            raise UvCannotError(f"the package index has no {UV} for this machine")
    # On the environment's own file system files are linked, not copied, and nothing stays outside of the clone.
    variables |= {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(folder / "cache")}
    return [uv, "pip", "install", "--quiet", "--python", python, "--index-strategy", "unsafe-best-match", *arguments], (
        variables
    )


def pip_settings(listed: str) -> dict[str, str]:
    """What `pip config list` says that `pip install` would use: a variable before the section install before global."""
    settings: dict[str, str] = {}
    lines = [line.partition("=") for line in listed.splitlines()]
    for section in ("global.", "install.", ":env:."):
        found = ((key.removeprefix(section), value) for key, _, value in lines if key.startswith(section))
        settings |= {name: str(ast.literal_eval(value)) for name, value in found}
    return {name: value for name, value in settings.items() if value}


def uv_options(settings: Mapping[str, str], pip_options: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """(arguments of `uv pip install`, environment variables) to the same effect. UvCannotError names what has none."""
    known = {*ARGUMENTS, *VARIABLES, *FLAGS, *WITHOUT_EFFECT, *FLAGS_WITHOUT_EFFECT}
    if others := sorted(settings.keys() - known):
        raise UvCannotError(f"pip's setting {others[0]} has no counterpart in uv")
    values = {name: value.split() if name in REPEATABLE else [value] for name, value in settings.items()}
    for name, more in _parsed(pip_options).items():
        values[name] = values.get(name, []) + more if name in REPEATABLE else more[-1:]
    arguments: list[str] = []
    variables: dict[str, str] = {}
    for name, given in values.items():
        if name in FLAGS and given[-1].lower() not in ("0", "false", "no", "off"):
            arguments.append(FLAGS[name])
        for value in given if name in ARGUMENTS else ():
            arguments += [ARGUMENTS[name], value]
        variables.update(dict.fromkeys(VARIABLES.get(name, ()), given[-1]))
    return arguments, variables


def _parsed(pip_options: Sequence[str]) -> dict[str, list[str]]:
    """Values by pip's name of the setting; "1" for each flag."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in (*ARGUMENTS, *VARIABLES, *WITHOUT_EFFECT):
        parser.add_argument(f"--{name}", *filter(None, [SHORT.get(name)]), dest=name, action="append")
    for name in (*FLAGS, *FLAGS_WITHOUT_EFFECT):
        parser.add_argument(f"--{name}", *filter(None, [SHORT.get(name)]), dest=name, action="append_const", const="1")
    try:
        found, unknown = parser.parse_known_args(list(pip_options))
    except argparse.ArgumentError as error:
        raise UvCannotError(str(error)) from error
    if unknown:
        raise UvCannotError(f"pip's option {unknown[0].partition('=')[0]} has no counterpart in uv")
    return {name: values for name, values in vars(found).items() if values}


def _pip(python: str) -> list[str]:
    return [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-compile", "--no-deps"]


def _run(command: Sequence[str], *, otherwise: str) -> None:
    if subprocess.run(command, check=False, close_fds=False).returncode != 0:
        raise FailedError(otherwise)


def _call(command: Sequence[str], variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """What it printed; children hold the lock, too, so that nothing is deleted under one that outlives this process."""
    environment = os.environ | dict(variables or {})
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, close_fds=False)


if __name__ == "__main__":
    sys.exit(main())
