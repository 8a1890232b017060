"""How the environment is made: uv gets what pip is configured with; an interruption is started over from nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from requirements.install import MARK, FailedError, UvCannotError, at_work_alone, install, pip_settings, uv_options
from tests.support.shared_data import PROJECT


@pytest.mark.parametrize(
    ("settings", "pip_options", "arguments", "variables"),
    [
        ({}, [], [], {}),
        ({"index-url": "https://a/simple"}, [], ["--index-url", "https://a/simple"], {}),
        ({"index-url": "https://a"}, ["--index-url", "https://b"], ["--index-url", "https://b"], {}),
        ({"index-url": "https://a"}, ["-ihttps://b"], ["--index-url", "https://b"], {}),
        (
            {"extra-index-url": "https://a\nhttps://b"},
            ["--extra-index-url=https://c", "--extra-index-url", "https://d"],
            [word for letter in "abcd" for word in ("--extra-index-url", f"https://{letter}")],
            {},
        ),
        (
            {"find-links": "wheels more"},
            ["-f", "x"],
            [w for p in ("wheels", "more", "x") for w in ("--find-links", p)],
            {},
        ),
        ({"no-index": "true", "find-links": "w"}, [], ["--no-index", "--find-links", "w"], {}),
        ({"no-index": "false"}, [], [], {}),
        ({}, ["--no-index"], ["--no-index"], {}),
        ({"trusted-host": "h"}, [], ["--allow-insecure-host", "h"], {}),
        ({"constraint": "c.txt"}, [], ["--constraint", "c.txt"], {}),
        ({"cert": "ca.pem", "default-timeout": "60"}, [], [], {"SSL_CERT_FILE": "ca.pem", "UV_HTTP_TIMEOUT": "60"}),
        ({"proxy": "http://p"}, [], [], {"HTTP_PROXY": "http://p", "HTTPS_PROXY": "http://p"}),
        ({"disable-pip-version-check": "1", "no-cache-dir": "1", "quiet": "1"}, ["-v", "--no-color"], [], {}),
    ],
)
def test_uv_is_given_what_pip_would_use(
    settings: dict[str, str], pip_options: list[str], arguments: list[str], variables: dict[str, str]
) -> None:
    assert uv_options(settings, pip_options) == (arguments, variables)


@pytest.mark.parametrize(
    ("settings", "pip_options", "named"),
    [
        ({"target": "somewhere"}, [], "target"),
        ({"no-binary": "numpy"}, [], "no-binary"),
        ({}, ["--user"], "--user"),
        ({}, ["--platform=x"], "--platform"),
        ({}, ["--index-url"], "index-url"),
    ],
)
def test_what_uv_has_not_is_left_to_pip(settings: dict[str, str], pip_options: list[str], named: str) -> None:
    with pytest.raises(UvCannotError, match=named):
        uv_options(settings, pip_options)


def test_a_variable_counts_before_the_files_as_in_pip(tmp_path: Path) -> None:
    """Of pip itself, with its own configuration file."""
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://a\nfind-links =\n  one\n  two's\ntimeout = 9\n[install]\ntimeout = 7\n"
        "[freeze]\ntimeout = 5\n",
        encoding="utf-8",
    )
    variables = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_INDEX_URL": "https://b", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True, env=variables
    )
    found = pip_settings(done.stdout)
    assert found["index-url"] == "https://b"
    assert found["timeout"] == "7"
    assert found["find-links"].split() == ["one", "two's"]


def _interrupted(stamp: Path, *written: str) -> None:
    with contextlib.suppress(KeyboardInterrupt), at_work_alone(stamp) as is_to_do:
        assert is_to_do
        for name in written:
            (stamp.parent / name).parent.mkdir(parents=True)
            (stamp.parent / name).touch()
        raise KeyboardInterrupt


def test_an_interrupted_installation_starts_from_nothing(tmp_path: Path) -> None:
    stamp = tmp_path / "environment" / ".ready-1"
    _interrupted(stamp, "lib/half")
    assert (stamp.parent / "lib" / "half").exists()
    assert (stamp.parent / MARK).exists()
    with at_work_alone(stamp) as is_to_do:
        assert is_to_do
        assert [path.name for path in stamp.parent.iterdir()] == [MARK]
        stamp.touch()
    assert [path.name for path in stamp.parent.iterdir()] == [stamp.name]
    with at_work_alone(stamp) as is_to_do:
        assert not is_to_do


def test_an_update_keeps_what_is_installed_and_takes_the_old_stamp_first(tmp_path: Path) -> None:
    """Interrupted in the middle it is neither the old environment nor the new one."""
    (tmp_path / "installed").touch()
    (tmp_path / ".ready-1").touch()
    _interrupted(tmp_path / ".ready-2")
    assert sorted(path.name for path in tmp_path.iterdir()) == [MARK, "installed"]


def test_a_second_one_waits_and_finds_the_work_done(tmp_path: Path) -> None:
    stamp = tmp_path / ".ready-1"
    code = (
        "import sys; from pathlib import Path; from requirements.install import at_work_alone\n"
        "with at_work_alone(Path(sys.argv[1])) as is_to_do: print('to do' if is_to_do else 'done')"
    )
    with at_work_alone(stamp):
        (tmp_path / "installed").touch()
        second = subprocess.Popen(
            [sys.executable, "-uc", code, str(stamp)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        assert second.stdout is not None
        assert second.stdout.readline().startswith("Another `make setup` is at work")
        stamp.touch()
    assert second.communicate()[0] == "done\n"
    assert (tmp_path / "installed").exists()


def test_a_mark_whose_owner_was_killed_is_free(tmp_path: Path) -> None:
    (tmp_path / MARK).touch()
    (tmp_path / "half").touch()
    with at_work_alone(tmp_path / ".ready-1"), (tmp_path / MARK).open() as file:
        assert not (tmp_path / "half").exists()
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_disk_is_said_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=int(1.26e9)))
    environment = tmp_path / ".venv"
    environment.mkdir()
    with pytest.raises(FailedError, match=r"\.venv: 1\.3 GB are free on this disk, and the packages need 5\.5"):
        install(environment, tmp_path / "no-lock.txt", [])
    assert list(environment.iterdir()) == [], "nothing was begun"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a lock of one package, whose wheel lies in a folder of its own, and a base Python without pip."""
    folder = tmp_path / "project"
    (folder / "wheels").mkdir(parents=True)
    with zipfile.ZipFile(folder / "wheels" / "alpha-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("alpha.py", "x = 1\n")
        wheel.writestr("alpha-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n")
        wheel.writestr("alpha-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("alpha-1.0.dist-info/RECORD", "")
    (folder / "lock.txt").write_text("alpha==1.0\n", encoding="utf-8")
    return folder


def test_pip_installs_where_there_is_no_uv(project: Path) -> None:
    """Of an index without uv; the project itself is no package here, so the last step fails, and the mark stays."""
    variables = {"HOME": str(project), "PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": os.devnull}
    command = [sys.executable, str(PROJECT / "requirements" / "install.py"), ".venv/.ready-1", "lock.txt"]
    done = subprocess.run(
        [*command, "--no-index", "--find-links", "wheels"],
        cwd=project, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "pip installs the packages, which takes several minutes: the package index has no uv" in done.stdout
    assert done.stdout.count("\n") == 2
    assert "the project could not be installed" in done.stderr
    assert list((project / ".venv").glob("lib/*/site-packages/alpha.py"))
    assert not list((project / ".venv").glob("lib/*/site-packages/__pycache__/alpha.*"))
    assert (project / ".venv" / MARK).exists()
    assert not (project / ".venv" / ".ready-1").exists()
