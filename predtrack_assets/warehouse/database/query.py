"""A statement with named parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from psycopg import sql

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")


@dataclass(frozen=True)
class Query:
    """A statement with :named parameters, rewritten to PostgreSQL's $1, $2, ..."""

    source: str

    @cached_property
    def names(self) -> list[str]:
        """Parameter names in the order of their numbers."""
        return list(dict.fromkeys(_PARAMETER.findall(self.source)))

    @cached_property
    def text(self) -> str:
        """The statement with numbered parameters."""
        return _PARAMETER.sub(lambda m: f"${self.names.index(m[1]) + 1}", self.source)

    def bind(self, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
        """Values in order. Raises TypeError when a parameter is missing or unknown."""
        if set(parameters) != set(self.names):
            raise TypeError(f"query takes {sorted(self.names)}, got {sorted(parameters)}")
        return tuple(parameters[name] for name in self.names) or None

    def with_literals(self, parameters: dict[str, Any]) -> str:
        """The statement with the values quoted in it. Raises TypeError as `bind` does."""
        self.bind(parameters)
        return _PARAMETER.sub(lambda m: sql.Literal(parameters[m[1]]).as_string(), self.source)
