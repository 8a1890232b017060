"""How long a user waits before anything happens: `import orz_bench`, and `orz-bench --help`. Medians of 15."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from _record import keep

REPEATS = 15
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import orz_bench": ["-c", "import orz_bench"],
    "import the command line": ["-c", "import orz_bench.cli"],
    "orz-bench --help": ["-m", "orz_bench.cli", "--help"],
    "orz-bench eval --help": ["-m", "orz_bench.cli", "eval", "--help"],
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):
        for name, arguments in COMMANDS.items():
            start = time.monotonic()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.monotonic() - start)
    keep("startup", {"median_s": {name: round(statistics.median(values), 3) for name, values in seconds.items()}})


if __name__ == "__main__":
    main()
