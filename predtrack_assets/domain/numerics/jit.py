"""Loops over sessions as machine code (Numba), for what array operations cannot say in one pass.

Import modules that use this inside functions only: Numba takes half a second to load.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable)


def jit(function: _Function) -> _Function:
    """The function as machine code, made at its first call and kept in __pycache__.

    It runs without the interpreter's lock and does what is written in that order (no fastmath),
    so bits depend on the arguments only; x / 0 is inf or NaN. What is kept knows changes of the
    function's own file only: call no jit function of another module.
    """
    machine_code: Any = numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    return machine_code
