"""The forecast ledger in the database: predictions are sealed into batches, and read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl
import pyarrow as pa
from psycopg import sql

from predtrack_assets.domain.audit.ledger.batches import BATCHES, ID_BYTES, build_batches, split
from predtrack_assets.domain.audit.ledger.chain import GENESIS
from predtrack_assets.domain.audit.ledger.encoding import Encoding
from predtrack_assets.domain.forecasts.resolution_time import is_retroactive
from predtrack_assets.domain.models.baselines import MODELS
from predtrack_assets.domain.models.fitted_model import PROCEDURES
from predtrack_assets.warehouse import tables
from predtrack_assets.warehouse.database.query import Query
from predtrack_assets.warehouse.database.read_ahead import read_ahead
from predtrack_assets.warehouse.database.transaction import Transaction
from predtrack_assets.warehouse.tables import Table

CHUNK_ROWS = 100_000
SHARED_ROWS = 20_000  # of fewer rows, starting processes takes longer than they save
# Only a run that computes these models seals what they say, in the transaction that writes it.
OWN_MODELS = (*(m.model_id for m in MODELS), *(p.model_id for p in PROCEDURES))

LOCK = Query("""
    SELECT chain FROM audit.chain_locks WHERE chain = 'forecasts.prediction_batches' FOR UPDATE
""")
HEAD = Query("""
    SELECT batch_index, hash, committed_at FROM forecasts.prediction_batches
    ORDER BY batch_index DESC LIMIT 1
""")
CLOCK = Query("SELECT clock_timestamp() AS now")
ENCODINGS = Query("""
    SELECT description FROM audit.row_encodings
    WHERE encoding = sha256(convert_to(description, 'UTF8'))
""")

# Rows and leaves of each group; a group whose counts agree has nothing left to seal.
_GROUPS = """
    SELECT trading_day, model_id, kind, coalesce(stored, 0) AS stored, coalesce(sealed, 0) AS sealed
    FROM (SELECT trading_day, model_id, kind, count(*) AS stored FROM forecasts.predictions
          WHERE trading_day BETWEEN :first AND :last GROUP BY 1, 2, 3) p
    FULL JOIN (SELECT trading_day, model_id, kind, sum(row_count)::bigint AS sealed
               FROM forecasts.prediction_batches
               WHERE trading_day BETWEEN :first AND :last GROUP BY 1, 2, 3) b
    USING (trading_day, model_id, kind)
"""
GROUPS = Query(f"{_GROUPS} ORDER BY trading_day, model_id, kind")
UNSEALED = Query(
    f"{_GROUPS} WHERE coalesce(stored, 0) <> coalesce(sealed, 0) AND coalesce(stored, 0) > 0"
    " ORDER BY trading_day, model_id, kind"
)
# What this very transaction has written; an index leads there, however many rows the days have.
OWN_ROWS = Query("""
    SELECT trading_day, model_id, kind, count(*) AS own FROM forecasts.predictions
    WHERE recorded_at = now() AND xmin = pg_current_xact_id()::xid
    GROUP BY 1, 2, 3
""")
SEALED_IDS = Query("""
    SELECT trading_day, model_id, kind, prediction_ids FROM forecasts.prediction_batches
    WHERE trading_day BETWEEN :first AND :last
""")
TRANSACTION = Query("SELECT pg_current_xact_id()::text AS xid")
# Rows that would be live, for the calendar to judge.
_LIVE_CLAIMS = """
    SELECT uuid_send(prediction_id) AS prediction_id, exchange, p.kind, trading_day, as_of, horizon,
           horizon_unit, earliest_resolution_time
    FROM forecasts.predictions p LEFT JOIN market.symbols USING (symbol)
    WHERE trading_day BETWEEN :first AND :last AND earliest_resolution_time > :committed_at
"""
LIVE_CLAIMS = Query(_LIVE_CLAIMS)
OWN_LIVE_CLAIMS = Query(f"{_LIVE_CLAIMS} AND p.recorded_at = now()")
LEFT_OUT = Query("""
    SELECT uuid_send(prediction_id) AS prediction_id, trading_day, model_id, kind,
           CASE WHEN NOT EXISTS (SELECT FROM models.model_registry m WHERE m.model_id = p.model_id)
                    THEN 'model not registered'
                WHEN NOT EXISTS (SELECT FROM market.symbols s WHERE s.symbol = p.symbol)
                    THEN 'symbol not known'
                ELSE 'not written by the run of its model' END AS reason
    FROM forecasts.predictions p WHERE trading_day BETWEEN :first AND :last
""")
ROWS_OF_MODELS = Query("""
    SELECT model_id, kind, symbol, trading_day, horizon, horizon_unit,
           uuid_send(prediction_id) AS prediction_id
    FROM forecasts.predictions
    WHERE trading_day BETWEEN :first AND :last AND model_id = ANY(:models)
""")
REGISTERED = Query("SELECT model_id FROM models.model_registry")
COLUMN_TYPES = Query("""
    SELECT attname::text AS "column", format_type(atttypid, NULL) AS "type" FROM pg_attribute
    WHERE attrelid = :table::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
""")

# What build_batches takes, and how many rows that this very transaction wrote as live are too late.
_COMMITTED = """
    SELECT trading_day, model_id, kind,
           CASE WHEN earliest_resolution_time > {committed_at} {believed}
                THEN 'live' ELSE 'replay' END AS origin,
           max(as_of) AS as_of, count(*)::integer AS row_count,
           string_agg(uuid_send(prediction_id) || {leaf}, '') AS pieces,
           count(*) FILTER (WHERE recorded_at = now() AND origin = 'live'
                            AND earliest_resolution_time <= {committed_at}) AS overtaken
    FROM forecasts.predictions
    WHERE trading_day BETWEEN {first}::date AND {last}::date {unsealed}
      AND symbol IN (SELECT symbol FROM market.symbols)
      AND (xmin = {xid}::xid OR model_id <> ALL ({own}))
    GROUP BY 1, 2, 3, 4
"""
_BELIEVED = """
    AND uuid_send(prediction_id) NOT IN (SELECT prediction_id FROM pg_temp.retroactive)
"""
_NOT_SEALED = """
    AND uuid_send(prediction_id) NOT IN (SELECT prediction_id FROM pg_temp.sealed_predictions)
"""
_OWN = " AND recorded_at = now() AND xmin = {xid}::xid"
GROUP = ["trading_day", "model_id", "kind"]
IDENTITY = {
    "model_id": pl.String(),
    "kind": pl.String(),
    "symbol": pl.String(),
    "trading_day": pl.Date(),
    "horizon": pl.Int16(),
    "horizon_unit": pl.String(),
}
_TEXT = "int4send(octet_length({0}::text)) || convert_to({0}::text, 'UTF8')"
# domain.ledger.encoding.FORMS in SQL.
_FORMS = {
    "boolean": "boolsend({0})",
    "smallint": "int2send({0})",
    "integer": "int4send({0})",
    "bigint": "int8send({0})",
    "double precision": "CASE WHEN {0} = 'NaN' THEN '\\x7ff8000000000000' ELSE float8send({0}) END",
    "date": "date_send({0})",
    "timestamp with time zone": "timestamptz_send({0})",
    "uuid": "uuid_send({0})",
    "text": _TEXT,
    "jsonb": _TEXT,
}


class LedgerError(ValueError):
    """The ledger cannot do what was asked; the message says why."""


@dataclass(frozen=True)
class Sealed:
    """What was sealed: rows, in how many batches; left_out: rows that cannot be, by reason."""

    rows: int = 0
    batches: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        left_out = "".join(f"; left out {n:,}: {why}" for why, n in sorted(self.left_out.items()))
        return f"sealed {self.rows:,} rows in {self.batches:,} batches{left_out}"


def seal(transaction: Transaction, first: date = date.min, last: date = date.max) -> Sealed:
    """Commit to every prediction of decision days [first, last] that no batch holds yet.

    Left out are rows of models that are not registered, of symbols that are not known, and of
    OWN_MODELS by another hand than this transaction's. The batches become visible with the
    transaction's other writes, or not at all. Sealing waits for other transactions that seal, so
    that the chain has no gaps. Raises LedgerError where an outcome could be resolved between this
    transaction's start and now.
    """
    transaction.read(LOCK)
    groups = transaction.read(UNSEALED, first=first, last=last)
    if groups.is_empty():
        return Sealed()
    if int((groups["stored"] - groups["sealed"]).sum()) > SHARED_ROWS:
        transaction.share_work()  # encoding and hashing rows is what takes time
    registered = groups.join(transaction.read(REGISTERED), on="model_id", how="semi")
    added, others = _added(transaction, registered)
    encoding = table_encoding(transaction, tables.PREDICTIONS)
    remember_encoding(transaction, encoding)
    head = transaction.read(HEAD)
    index, previous, before = head.row(0) if len(head) else (0, GENESIS, None)
    claims = LIVE_CLAIMS if len(others) else OWN_LIVE_CLAIMS
    terms = _terms(transaction, claims, span_of(groups), encoding)
    if before is not None and terms.committed_at < before:
        raise LedgerError(
            f"the database's clock says {terms.committed_at:%Y-%m-%d %H:%M:%S} UTC, but the last batch"
            f" was sealed at {before:%Y-%m-%d %H:%M:%S}: set the clock right, or wait until then"
        )
    built = [pl.DataFrame(schema=BATCHES)]
    parts = [(part, False) for part in by_days(others, "stored")] if len(others) else []
    parts += [(added, True)] if len(added) else []
    for rows in read_ahead(lambda part: _unsealed(transaction, *part, terms), parts):
        _refuse_overtaken(rows)
        built.append(
            build_batches(rows.drop("overtaken"), encoding, terms.committed_at, index, previous)
        )
        if len(built[-1]):
            index, previous = built[-1]["batch_index"][-1], built[-1]["hash"][-1]
    batches = pl.concat(built)
    transaction.append(tables.PREDICTION_BATCHES, batches)
    sealed = int(batches["row_count"].sum())
    rest = int((groups["stored"] - groups["sealed"]).sum()) - sealed
    return Sealed(sealed, len(batches), _left_out(transaction, groups) if rest else {})


def by_another_hand(transaction: Transaction, first: date, last: date) -> pl.DataFrame:
    """Predictions of registered OWN_MODELS of [first, last] that no batch holds, nor ever will.

    Their identities: the columns of IDENTITY.
    """
    own = transaction.read(REGISTERED).filter(pl.col("model_id").is_in(OWN_MODELS))
    groups = transaction.read(UNSEALED, first=first, last=last).join(own, on="model_id", how="semi")
    if groups.is_empty():
        return pl.DataFrame(schema=IDENTITY)
    first, last = span_of(groups)
    models = groups["model_id"].unique().to_list()
    rows = transaction.read(ROWS_OF_MODELS, first=first, last=last, models=models)
    held = pl.DataFrame(
        {"prediction_id": _sealed_ids(transaction, groups)}, {"prediction_id": pl.Binary}
    )
    strange = rows.join(groups, on=GROUP, how="semi").join(held, on="prediction_id", how="anti")
    return strange.select(pl.col(name).cast(dtype) for name, dtype in IDENTITY.items())


def table_encoding(transaction: Transaction, table: Table) -> Encoding:
    """The encoding that holds every column the table has now, in its order."""
    return Encoding(tuple(transaction.read(COLUMN_TYPES, table=str(table)).iter_rows()))


def remember_encoding(transaction: Transaction, encoding: Encoding) -> None:
    """Write down what the encoding's digest stands for."""
    known = {"encoding": [encoding.digest], "description": [encoding.description]}
    transaction.append(tables.ROW_ENCODINGS, pl.DataFrame(known))


def encodings(transaction: Transaction) -> dict[bytes, Encoding]:
    """The encodings that were ever used, by digest; those that were tampered with are left out."""
    parsed = (Encoding.parse(d) for d in transaction.read(ENCODINGS)["description"])
    return {encoding.digest: encoding for encoding in parsed}


def read_rows(
    transaction: Transaction, columns: Mapping[str, sql.Composable], first: date, last: date
) -> pl.DataFrame:
    """Predictions of decision days [first, last]: their identity (16 bytes), and named expressions.

    Literals instead of parameters, because ADBC then reads by COPY, in half the time.
    """
    named = [sql.SQL("{} AS {}").format(e, sql.Identifier(name)) for name, e in columns.items()]
    names = {
        "columns": sql.SQL(", ").join(named),
        "table": sql.Identifier(tables.PREDICTIONS.schema, tables.PREDICTIONS.name),
        "first": sql.Literal(first.isoformat()),
        "last": sql.Literal(last.isoformat()),
    }
    template = (
        "SELECT uuid_send(prediction_id) AS prediction_id, {columns} FROM {table}"
        " WHERE trading_day BETWEEN {first}::date AND {last}::date"
    )
    return transaction.read(Query(sql.SQL(template).format(**names).as_string()))


def row_bytes(encoding: Encoding) -> sql.Composable:
    """The expression that gives a stored row's bytes in an encoding."""
    return sql.SQL(" || ").join(
        sql.SQL("coalesce('\\x01'::bytea || " + _FORMS[kind] + ", '\\x00')").format(
            sql.Identifier(name)
        )
        for name, kind in encoding.columns
    )


def by_days(groups: pl.DataFrame, size: str) -> Iterator[pl.DataFrame]:
    """Groups (sorted by trading_day) in parts of whole days of about CHUNK_ROWS rows."""
    days = groups.group_by("trading_day", maintain_order=True).agg(pl.col(size).sum())
    part = (days[size].cum_sum() - 1).clip(0) // CHUNK_ROWS
    numbered = groups.join(
        days.select("trading_day", part.alias("part")), on="trading_day", maintain_order="left"
    )
    yield from numbered.partition_by("part", maintain_order=True, include_key=False)


def span_of(groups: pl.DataFrame) -> tuple[date, date]:
    """First and last day of groups sorted by trading_day."""
    return groups["trading_day"][0], groups["trading_day"][-1]


@dataclass(frozen=True)
class _Terms:
    """On what terms rows are sealed: when, and the fragments of _COMMITTED that are the same for all."""

    committed_at: datetime
    names: Mapping[str, sql.Composable]


def _added(transaction: Transaction, groups: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Groups of which only rows of this very transaction are in no batch; and the rest.

    The former are found by their moment, so that adding to a day costs no look at all of the day.
    Of more rows than are encoded at once the days are read as a whole.
    """
    own = transaction.read(OWN_ROWS)
    groups = groups.join(own, on=GROUP, how="left", maintain_order="left").with_columns(
        pl.col("own").fill_null(0)
    )
    alone = (groups["own"] > 0) & (groups["stored"] == groups["sealed"] + groups["own"])
    if groups.filter(alone)["own"].sum() > CHUNK_ROWS:
        alone = pl.Series([False]).new_from_index(0, len(groups))
    return groups.filter(alone), groups.filter(~alone)


def _terms(
    transaction: Transaction, claimed: Query, span: tuple[date, date], encoding: Encoding
) -> _Terms:
    """The moment, and what of the rows of these days is retroactive then, whatever they state."""
    committed_at = transaction.read(CLOCK).item()
    days = {"first": span[0], "last": span[1]}
    claims = transaction.read(claimed, **days, committed_at=committed_at)
    late = claims.filter(is_retroactive(claims, committed_at))
    if len(late):
        _stage_ids(transaction, "retroactive", late["prediction_id"].to_list())
    return _Terms(
        committed_at,
        {
            "committed_at": sql.Literal(committed_at),
            # The server hashes what it has encoded; `verify` hashes the bytes itself.
            "leaf": sql.SQL("sha256('\\x00'::bytea || {})").format(row_bytes(encoding)),
            "believed": sql.SQL(_BELIEVED if len(late) else ""),
            "xid": sql.Literal(transaction.read(TRANSACTION).item()),
            "own": sql.Literal(list(OWN_MODELS)),
        },
    )


def _unsealed(
    transaction: Transaction, groups: pl.DataFrame, own: bool, terms: _Terms
) -> pl.DataFrame:
    """What no batch holds of `groups` (sorted by day), as build_batches takes it.

    own: it is what this transaction has written, and nothing else.
    """
    first, last = span_of(groups)
    partly = groups.filter(pl.col("sealed") > 0)
    if len(partly) and not own:
        _stage_ids(transaction, "sealed_predictions", _sealed_ids(transaction, partly))
    rest = _OWN if own else _NOT_SEALED if len(partly) else ""
    names = {
        **terms.names,
        "first": sql.Literal(first.isoformat()),
        "last": sql.Literal(last.isoformat()),
        "unsealed": sql.SQL(rest).format(xid=terms.names["xid"]),
    }
    found = transaction.read(Query(sql.SQL(_COMMITTED).format(**names).as_string()))
    return found.join(groups, on=GROUP, how="semi")


def _sealed_ids(transaction: Transaction, groups: pl.DataFrame) -> list[bytes]:
    """Identities of the rows of `groups` (sorted by day) that batches hold."""
    first, last = span_of(groups)
    held = transaction.read(SEALED_IDS, first=first, last=last).join(groups, on=GROUP, how="semi")
    return split(b"".join(held["prediction_ids"]), ID_BYTES)


def _stage_ids(transaction: Transaction, name: str, ids: list[bytes]) -> None:
    rows = pa.table({"prediction_id": pa.array(ids, pa.binary())})
    transaction.stage(name, {"prediction_id": "bytea"}, rows)


def _left_out(transaction: Transaction, groups: pl.DataFrame) -> dict[str, int]:
    """Why rows of `groups` are still in no batch: how many, by reason."""
    first, last = span_of(groups)
    rows = transaction.read(LEFT_OUT, first=first, last=last).join(groups, on=GROUP, how="semi")
    held = pl.DataFrame(
        {"prediction_id": _sealed_ids(transaction, groups)}, {"prediction_id": pl.Binary}
    )
    rest = rows.join(held, on="prediction_id", how="anti")
    return dict(rest.group_by("reason").len().iter_rows())


def _refuse_overtaken(rows: pl.DataFrame) -> None:
    """Rows of this very transaction that were live at its start must still be so."""
    if late := int(rows["overtaken"].sum()):
        raise LedgerError(
            f"the outcomes of {late:,} predictions could be resolved while they were written;"
            " run again and they are recorded as replay"
        )
