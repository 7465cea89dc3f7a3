"""The client: models that send, and what the server has to say of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec

from predtrack_client.connection import ApiError, Connection
from predtrack_client.outbox import Entry, Outbox
from predtrack_client.predictions import Fault, Rows, as_rows, check_rows
from predtrack_client.receipts import Receipt
from predtrack_client.rows import MAX_ROWS


class Client:
    """A PredTrack server.

    key: None takes PREDTRACK_KEY. outbox: directory of what was not answered yet; None:
    $XDG_STATE_HOME/predtrack/outbox. Further options are those of Connection: timeout,
    give_up_after (seconds), transport. Raises ValueError without a key.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8600",
        key: str | None = None,
        *,
        outbox: str | Path | None = None,
        **options: Any,
    ) -> None:
        key = key or os.environ.get("PREDTRACK_KEY")
        if not key:
            raise ValueError("set PREDTRACK_KEY, or give key=: `predtrack keys create` makes one")
        self._connection = Connection(url, key, **options)
        self._outbox = Outbox(Path(outbox) if outbox else None)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._connection.url

    def model(
        self,
        name: str,
        version: int,
        *,
        kinds: Sequence[str],
        description: str = "",
        url: str | None = None,
        trained_through: date | None = None,
    ) -> Model:
        """A model version of yours, registered if it is new.

        kinds: of direction, price, volatility, time_to_hit. trained_through: the last day that it was trained
        on; days up to it are in-sample. Raises ApiError for a name that is taken or malformed.
        """
        about = {"name": name, "version": version, "kinds": list(kinds), "description": description}
        about |= {"url": url, "trained_through": trained_through}
        given = {key: value for key, value in about.items() if value not in (None, "")}
        made = self._connection.post("/models", msgspec.json.encode(given), {})
        return Model(self, name, version, made["model_id"])

    def resume(self) -> list[Receipt]:
        """Send what an earlier process left without an answer, under its first keys."""
        return [self._deliver(entry) for entry in list(self._outbox.waiting(self.url))]

    def proof(self, receipt: Receipt | str | Path) -> list[dict[str, Any]]:
        """A proof for each row that the server has, for `predtrack_client.check`."""
        known = receipt if isinstance(receipt, Receipt) else Receipt.load(receipt)
        ids = [row["prediction_id"] for row in known.rows if row.get("prediction_id")]
        return [self._connection.get(f"/ledger/proofs/{each}") for each in dict.fromkeys(ids)]

    def withdraw(self, ids: Receipt | Sequence[str], reason: str) -> list[dict[str, Any]]:
        """Take predictions back before the session after their decision day opens.

        ids: a receipt, or identities. They stay visible, and count as due and not validated. Returns
        an answer each: withdrawn, duplicate, or rejected with a code.
        """
        rows = ids.rows if isinstance(ids, Receipt) else [{"prediction_id": i} for i in ids]
        wanted = [row["prediction_id"] for row in rows if row.get("prediction_id")]
        body = msgspec.json.encode({"prediction_ids": wanted, "reason": reason})
        answers: list[dict[str, Any]] = self._connection.post("/withdrawals", body, {})["rows"]
        return answers

    def receipt(self, batch: int) -> dict[str, Any]:
        """What a batch was answered, as the server keeps it."""
        found: dict[str, Any] = self._connection.get(f"/receipts/{batch}")
        return found

    def deadlines(self) -> list[dict[str, Any]]:
        """Per exchange and horizon: the decision day in force, and until when a row is live."""
        rows: list[dict[str, Any]] = self._connection.get("/deadlines")["rows"]
        return rows

    def pages(self, path: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """Rows of a route that answers by pages: /predictions, /recommendations, /analytics/..."""
        token = None
        while True:
            answer = self._connection.get(path, page_token=token, **filters)
            yield from answer["rows"]
            token = answer.get("next_page_token")
            if token is None:
                return

    def _send(self, envelope: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Receipt:
        body = msgspec.json.encode({**envelope, "predictions": rows}).decode()
        dated = all("decision_day" in row for row in rows)
        return self._deliver(self._outbox.put(self.url, body, dated=dated))

    def _deliver(self, entry: Entry) -> Receipt:
        letter = entry.letter
        try:
            answer = self._connection.post(
                "/predictions", letter.body.encode(), {"Idempotency-Key": letter.key}
            )
        except ApiError as error:
            if error.status < 500 and error.status != 429:
                entry.done()  # refused as a whole: the same again would be refused again
            raise
        entry.done()
        return Receipt(
            url=self.url,
            model_id=answer["model_id"],
            dry_run=answer["dry_run"],
            batches=[answer["batch"]] if "batch" in answer else [],
            committed_at=answer["committed_at"],
            sent=msgspec.json.decode(letter.body)["predictions"],
            rows=answer["rows"],
        )


class Model:
    """A model version of yours on a server; `Client.model` makes it."""

    def __init__(self, client: Client, name: str, version: int, model_id: str) -> None:
        self._client = client
        self.name, self.version, self.model_id = name, version, model_id

    def send(
        self,
        rows: Rows | Any,
        *,
        on_late: Literal["replay", "reject"] = "replay",
        dry_run: bool = False,
    ) -> Receipt:
        """Send predictions and wait until they are committed and sealed.

        rows: predictions, dicts, or a frame; more than 10,000 go in several batches. on_late: what
        becomes of a row whose outcome could be known already. dry_run: answer, and write nothing.
        Raises ApiError, and Unreachable if no answer came: then nothing is lost, `Client.resume`
        asks again.
        """
        given = as_rows(rows)
        envelope = {"model": self.name, "version": self.version}
        envelope |= {"on_late": on_late, "dry_run": dry_run}
        whole = Receipt(url=self._client.url, model_id=self.model_id, dry_run=dry_run)
        for start in range(0, len(given), MAX_ROWS):
            part = self._client._send(envelope, given[start : start + MAX_ROWS])
            whole.batches += part.batches
            whole.committed_at = part.committed_at
            whole.sent += part.sent
            whole.rows += [{**row, "index": row["index"] + start} for row in part.rows]
        return whole

    def send_frame(self, frame: Any, **options: Any) -> Receipt:
        """`send` for a pandas or Polars frame: symbol, horizon, decision_day and one form.

        Columns of forms: p_up; q05, q10, q25, q50, q75, q90, q95 with unit; sd with per.
        """
        return self.send(frame, **options)

    def check(self, rows: Rows | Any) -> list[Fault]:
        """What is wrong with rows by themselves, by the server's rules, without asking it."""
        return check_rows(rows)

    def deadlines(self) -> list[dict[str, Any]]:
        """`Client.deadlines`."""
        return self._client.deadlines()

    def scores(self) -> Scores:
        """Its scores beside the no-change forecast, over everything that has fallen due."""
        path = f"/models/{self.model_id}/scores"
        return Scores(self.model_id, list(self._client.pages(path)))


class Scores(msgspec.Struct):
    """Scores of a model: one row per kind, horizon, score and baseline.

    Each has n, n_eff, skill, skill_low, skill_high (95 %) and `shown`: better, worse or nothing.
    """

    model_id: str
    rows: list[dict[str, Any]]

    def __str__(self) -> str:
        if not self.rows:
            return f"{self.model_id}: no evidence yet, nothing has fallen due"
        lines = [f"{self.model_id}: skill (0: nothing gained, 1: perfect)"]
        for row in self.rows:
            low, high = row["skill_low"], row["skill_high"]
            interval = "no interval yet" if low is None else f"{low:+.3f} .. {high:+.3f}"
            effective = "-" if row["n_eff"] is None else f"{row['n_eff']:,.0f}"
            lines.append(
                f"  {row['kind']} {row['score']}, {row['horizon']} sessions, against"
                f" {row['baseline']}: {row['skill']:+.3f} ({interval}), n {row['n']:,}, n_eff"
                f" {effective}, shown: {row['shown']}"
            )
        return "\n".join(lines)
