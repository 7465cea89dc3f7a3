"""Reading and running one file of sql/: what numbered migrations and views have in common."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import psycopg

from predtrack_assets.faults import Fault

_TRANSACTION = re.compile(
    r"^(BEGIN|START TRANSACTION|COMMIT|ROLLBACK)\b[^;\n]*;", re.IGNORECASE | re.MULTILINE
)


class MigrationError(Fault):
    """A migration was refused or failed; the message names its file."""


def read_sql(path: Path) -> str:
    """The text of a file, with Unix line ends.

    Raises MigrationError where it begins or ends a transaction: each file runs in one.
    """
    text = path.read_text("utf-8")
    if match := _TRANSACTION.search(text):
        raise MigrationError(
            f"{path.name}: {match[0]} is refused, as each file runs in one transaction "
            "(with psql: psql --single-transaction -f)"
        )
    return text


def checksum(text: str) -> str:
    """SHA-256 of a file's text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def run_sql(connection: psycopg.Connection, file_name: str, text: str) -> None:
    """Run a file within the caller's transaction. MigrationError names the file and the line."""
    try:
        connection.execute(text.encode())
    except psycopg.Error as error:
        position = error.diag.statement_position
        line = f", line {text.count(chr(10), 0, int(position)) + 1}" if position else ""
        raise MigrationError(f"{file_name}{line}: {error}") from error
    # What a file SETs ends with it, or the next one would depend on it.
    connection.execute("RESET ALL; RESET ROLE; SET client_min_messages = warning")
