"""Drift of a million rows and fifty columns: our distances beside Evidently's, on the same bins."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lines import Line, Options, line
from benchmarks.sandbox import Sandbox
from predtrack_assets.domain.accuracy.drift.distances import (
    jensen_shannon,
    kolmogorov_smirnov,
    psi,
    shares,
)

NAMES = ["drift"]
ROWS, COLUMNS = 1_000_000, 50
REFERENCE = 0.75  # of the rows
EVIDENTLY = ("evidently==0.7.23", "pandas<3")
INTERPRETER = "BENCH_EVIDENTLY_PYTHON"  # one that has Evidently; else it is installed, by uv
CLOSE = 1e-8


def drift_cases(box: Sandbox, options: Options) -> Iterator[Line]:
    """One line: both reports on the same rows, and how far their statistics are apart."""
    if not options.wanted("drift"):
        return
    rows = max(1_000, round(ROWS * options.scale))
    reference = round(REFERENCE * rows)
    path = box.home / "drift.npy"
    options.say(f"drift: {rows:,} rows x {COLUMNS} columns")
    np.save(path, _columns(rows))
    ours = _run([sys.executable, "-m", "benchmarks.drift_cases", str(path), str(reference)])
    interpreter = _interpreter(box.home, options)
    if interpreter is None:
        options.say("drift: without Evidently, which could not be installed")
        path.unlink()
        yield {
            "name": "drift",
            "product_s": round(ours["seconds"], 3),
            "rows": rows,
            "reference": None,
        }
        return
    options.say("drift: the same rows by Evidently's preset")
    script = Path(__file__).with_name("evidently_report.py")
    theirs = _run([interpreter, str(script), str(path), str(reference)])
    path.unlink()
    pairs = {"psi": "psi", "js": "jensenshannon", "ks_p": "ks"}
    apart = {
        name: float(np.max(np.abs(np.subtract(ours[name], theirs[method]["values"]))))
        for name, method in pairs.items()
    }
    seconds = {method: round(theirs[method]["seconds"], 2) for method in pairs.values()}
    more = {
        "columns": COLUMNS,
        "equal": max(apart.values()) <= CLOSE,
        "largest_differences": apart,
        "reference_each_s": seconds,
        "cpu_s": round(ours["cpu_s"], 2),
        "reference_cpu_s": round(theirs["cpu_s"], 2),
        "reference_peak_mb": theirs["peak_mb"],
    }
    yield line(
        "drift", ours["seconds"], sum(seconds.values()), rows, None, ours["peak_mb"], **more
    )  # fmt: skip


def _columns(rows: int) -> np.ndarray:
    """Columns (COLUMNS, rows) without empty bins, in which the last quarter drifts by some."""
    random = np.random.default_rng(0)
    columns = random.random((COLUMNS, rows))
    late = slice(round(REFERENCE * rows), None)
    for i, column in enumerate(columns):
        column[late] **= 1 + 0.0004 * i
    return columns


def _interpreter(home: Path, options: Options) -> str | None:
    """A Python that has Evidently, in an environment of its own; None if there can be none."""
    if INTERPRETER in os.environ:
        return os.environ[INTERPRETER]
    uv = shutil.which("uv")
    if uv is None:
        return None
    options.say("drift: installing Evidently beside, not in, the project")
    place = home / "evidently"
    python = str(place / "bin" / "python")
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(place)],
        [uv, "pip", "install", "--quiet", "--python", python, *EVIDENTLY],
    ):
        if subprocess.run(command, check=False).returncode:
            return None
    return python


def _run(command: list[str]) -> dict[str, Any]:
    """The JSON object on the last line of a process's output."""
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(path: str, reference: int) -> dict[str, Any]:
    """PSI, Jensen-Shannon distance and p-value of KS of each column, with Evidently's bins."""
    from scipy.stats import kstwo

    columns = np.load(path)
    found: dict[str, list[float]] = {"psi": [], "js": [], "ks_p": []}
    start, used = time.perf_counter(), time.process_time()
    for column in columns:
        old, new = column[:reference], column[reference:]
        inner = np.histogram_bin_edges(column, bins="sturges")[1:-1]
        p, q = shares(old, inner), shares(new, inner)
        found["psi"].append(float(psi(p, q)))
        found["js"].append(float(jensen_shannon(p, q)))
        size = round(old.size * new.size / column.size)
        found["ks_p"].append(float(kstwo.sf(kolmogorov_smirnov(old, new), size)))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    used = time.process_time() - used
    return {"seconds": seconds, "cpu_s": used, "peak_mb": round(peak, 1), **found}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
