"""`python -m benchmarks`: one JSON line per case on standard output, progress on standard error."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.cases import CASES, NAMES
from benchmarks.lines import Options
from benchmarks.sandbox import sandbox


def main() -> None:
    """Run the cases that were asked for, on a server and in a home of their own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--prices", type=Path, help="price file (Parquet) instead of a simulated one"
    )
    names = ", ".join(NAMES)
    parser.add_argument(
        "--only", action="append", metavar="NAME", help=f"a case or a pattern, repeatable: {names}"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the simulated symbols (default 1)"
    )
    asked = parser.parse_args()
    patterns = asked.only or ["*"]
    unknown = [p for p in patterns if not any(fnmatch(name, p) for name in NAMES)]
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}; there are {names}")
    start = time.perf_counter()

    def say(text: str) -> None:
        print(f"[{time.perf_counter() - start:6.1f} s] {text}", file=sys.stderr, flush=True)

    options = Options(
        prices=asked.prices.resolve() if asked.prices else None,
        scale=asked.scale,
        wanted=lambda name: any(fnmatch(name, pattern) for pattern in patterns),
        say=say,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # or the server would be left behind
    with sandbox() as box:
        for cases in CASES:
            for line in cases(box, options):
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
