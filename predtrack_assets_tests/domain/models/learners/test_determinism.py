"""Same inputs, same bits: in processes of other hash seeds, time zones and thread counts."""

from __future__ import annotations

import os
import subprocess
import sys

from predtrack_assets.settings import PROJECT_ROOT

PROGRAM = """
import hashlib, json
from predtrack_assets.domain.models.learners.importance import permutation_importance
from predtrack_assets.domain.models.learners.pooled import fit_pooled
from predtrack_assets.domain.models.learners.selection import choose_families
from predtrack_assets.domain.models.learners.symbol import fit_symbol
from predtrack_assets_tests.domain.models.learners.simulated import HORIZONS, all_of, simulated

data = simulated(symbols=6, sessions=340, features=20, signal=0.3, persistence=0.5)
days = sorted(set(data.day.tolist()))
cutoff = data.day[len(data.day) * 3 // 4]
known, later = data.known_by(cutoff), data.take(data.day > cutoff)
choices, _ = choose_families(known, (1,), cutoff)
digest = hashlib.sha256(json.dumps(choices, sort_keys=True).encode())
for chosen in (all_of(1, data, cutoff), all_of(2, data, cutoff)):
    fit = fit_pooled(known, HORIZONS, cutoff=cutoff, choices=chosen)
    own = fit_symbol(known.take(known.symbol == "S03"), fit, cutoff=cutoff)
    digest.update(fit.to_bytes() + own.to_bytes())
    for horizon in HORIZONS:
        said = fit.predict(later.features, later.sigma, later.drift, horizon)
        for values in vars(said).values():
            digest.update(values.tobytes())
fit = fit_pooled(known, (1,), cutoff=cutoff, choices=choices)
digest.update(str(permutation_importance(fit, later)).encode())
print(digest.hexdigest())
"""

MACHINES = [
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    {"PYTHONHASHSEED": "2", "TZ": "Pacific/Kiritimati", "OMP_NUM_THREADS": "2"},
]


def test_fits_and_forecasts_are_equal_bit_for_bit() -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=PROJECT_ROOT,
            env={**os.environ, **machine},
            stdout=subprocess.PIPE,
            text=True,
        )
        for machine in MACHINES
    ]
    digests = [process.communicate()[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert len(digests[0]) == 64
    assert len(set(digests)) == 1
