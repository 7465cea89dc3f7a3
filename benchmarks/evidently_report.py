"""Evidently's data-drift preset on stored columns, in an interpreter of its own.

Not part of the project's environment: it needs pandas below 3. `python evidently_report.py FILE ROWS`
prints, per method, seconds and the value of each column as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report  # type: ignore[import-not-found]
from evidently.presets import DataDriftPreset  # type: ignore[import-not-found]

METHODS = ("psi", "jensenshannon", "ks")


def main(path: str, reference: int) -> None:
    """columns: float64 (columns, rows), of which the first `reference` rows are the reference."""
    columns = np.load(path)
    names = [f"c{i}" for i in range(len(columns))]
    definition = DataDefinition(numerical_columns=names)
    old, new = (
        Dataset.from_pandas(
            pd.DataFrame(dict(zip(names, part, strict=True))), data_definition=definition
        )
        for part in (columns[:, :reference], columns[:, reference:])
    )
    found = {}
    used = time.process_time()
    for method in METHODS:
        start = time.perf_counter()
        metrics = Report([DataDriftPreset(num_method=method)]).run(new, old).dict()["metrics"]
        seconds = time.perf_counter() - start
        values = {
            metric["config"]["column"]: metric["value"]
            for metric in metrics
            if "column" in metric["config"]
        }
        found[method] = {"seconds": seconds, "values": [float(values[name]) for name in names]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    used = time.process_time() - used
    print(json.dumps({"peak_mb": round(peak, 1), "cpu_s": used, **found}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
