"""Great Expectations: imported when the first check runs, and how frames are given to it.

The import takes as long as fifty suites. A third of that is scipy.stats and altair, which the
expectation of one divergence uses: they are imported once something in them is asked for.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from functools import cache
from types import ModuleType
from typing import Any

import polars as pl

_LATE = ("altair", "scipy.stats")
_OF_THREAD = threading.local()
_IMPORTING = threading.Lock()


class _LateModule(ModuleType):
    """Stands for a module until an attribute of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the import system looks at
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@cache
def great_expectations() -> Any:
    """The module, without a word to its makers."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read at import
    with _IMPORTING:
        late = {name: _LateModule(name) for name in _LATE if name not in sys.modules}
        sys.modules.update(late)
        try:
            return importlib.import_module("great_expectations")
        finally:
            for name, module in late.items():
                if sys.modules.get(name) is module:
                    del sys.modules[name]


def batch_of(frame: pl.DataFrame) -> Any:
    """A batch of all rows of a frame, to be validated."""
    return _whole_frame().get_batch({"dataframe": frame.to_pandas()})


def _whole_frame() -> Any:
    """The batch definition through which frames are validated, one for each thread.

    To make a context and its source takes as long as to check a table; a shared one is not
    safe for concurrent runs.
    """
    gx = great_expectations()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    if not hasattr(_OF_THREAD, "definition"):
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("warehouse").add_dataframe_asset("profile")
        _OF_THREAD.definition = asset.add_batch_definition_whole_dataframe("all")
    return _OF_THREAD.definition
