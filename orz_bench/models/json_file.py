"""Read a checkpoint's JSON files. A file damaged by an interrupted save or download is a ConfigError that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError
from orz_bench.records.regular import read_text


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    try:
        value = json.loads(read_text(path))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror or error}); check the file and its rights."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path}: broken JSON ({error}); half-written? Save or download the checkpoint again."
        ) from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: holds a {type(value).__name__}, wanted a JSON object; save the checkpoint again.")
    return value
