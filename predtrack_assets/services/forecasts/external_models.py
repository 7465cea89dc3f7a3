"""Models of others in the registry: named, owned, immutable, in shadow until a gate is passed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.forecasts import intake as queries
from predtrack_assets.warehouse.forecasts.ledger import OWN_MODELS

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
TAKEN = ("price", "direction", "volatility", "time_to_hit")  # kinds that intake has a form for


class ModelRefused(ValueError):
    """A model cannot be registered or used; code and message say why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def register_model(
    transaction: Transaction,
    *,
    name: str,
    version: int,
    kinds: Sequence[str],
    owner: str,
    description: str = "",
    url: str | None = None,
    trained_through: date | None = None,
) -> str:
    """The model_id (name-vVersion) of a model of others, registered in shadow if it is new.

    Raises ModelRefused for a name that is reserved or malformed, kinds that are not taken, and a
    model that belongs to another owner or has other kinds.
    """
    model_id = f"{name}-v{version}"
    if not NAME.fullmatch(name):
        raise ModelRefused(
            "model_name", "a name has 1 to 64 of a-z, 0-9, dot, dash, underscore; a-z or 0-9 first"
        )
    if any(ord(c) < 32 for text in (description, url or "") for c in text):
        raise ModelRefused("text_invalid", "text has no control characters")
    if not 1 <= version <= 1_000_000:
        raise ModelRefused("model_version", "a version is a whole number from 1 on")
    if {name, model_id} & {*OWN_MODELS, *(m.split("-v")[0] for m in OWN_MODELS)}:
        raise ModelRefused("name_reserved", f"{name} is a built-in model: take another name")
    unknown = sorted(set(kinds) - set(TAKEN))
    if unknown or not kinds:
        raise ModelRefused("kinds", f"kinds are some of {', '.join(TAKEN)}")
    known = transaction.read(queries.MODEL, name=name, version=version)
    if known.is_empty():
        transaction.read(
            queries.REGISTER,
            model_id=model_id,
            name=name,
            version=version,
            kinds=list(dict.fromkeys(kinds)),
            description=description or f"Predictions of {owner}.",
            owner=owner,
            url=url,
            trained_through=trained_through.isoformat() if trained_through else None,
        )
        known = transaction.read(queries.MODEL, name=name, version=version)
    row = known.row(0, named=True)
    if row["owner"] != owner:
        raise ModelRefused("model_of_another_owner", f"{model_id} belongs to another key")
    if missing := sorted(set(kinds) - set(row["kinds"])):
        raise ModelRefused(
            "model_is_immutable",
            f"{model_id} predicts {', '.join(row['kinds'])}, not {', '.join(missing)}: register"
            " the next version",
        )
    return model_id
