"""The client against the API in this process: sent, answered, proven, and sent again safely."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pytest

import predtrack_client as pt
from predtrack_assets.domain.forecasts.intake import rows as server_rows
from predtrack_assets.domain.models.forecast import QUANTILE_LEVELS, QUANTILE_NAMES
from predtrack_assets.settings import PROJECT_ROOT
from predtrack_assets_tests.builders.api import DAY, make_key, served, store_prices
from predtrack_client import rows as client_rows

SOURCE = PROJECT_ROOT / "client" / "predtrack_client"
KINDS = ["direction", "price", "volatility", "time_to_hit"]


class Served(httpx.BaseTransport):
    """Requests answered by the app in this process; `before` may fail or answer instead of it."""

    def __init__(self, url: str) -> None:
        self.app = served(url)
        self.app.cookies.clear()
        self.requests: list[httpx.Request] = []
        self.before: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.after: Callable[[httpx.Request], None] = lambda _: None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if (instead := self.before(request)) is not None:
            return instead
        url = str(request.url)
        headers = {k: v for k, v in request.headers.items() if k != "accept-encoding"}
        answer = self.app.request(request.method, url, content=request.read(), headers=headers)
        self.after(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


@pytest.fixture
def transport(database_url: str) -> Served:
    store_prices(database_url)
    return Served(database_url)


@pytest.fixture
def client(transport: Served, database_url: str, tmp_path: Path) -> pt.Client:
    return pt.Client(
        "http://localhost:8600",
        make_key(database_url),
        outbox=tmp_path / "outbox",
        transport=transport,
        sleep=lambda _: None,
    )


def up(symbol: str = "AAPL", p: float = 0.56, **fields: Any) -> pt.Direction:
    return pt.Direction(symbol, **({"horizon": 5, "decision_day": DAY} | fields), p_up=p)


def test_what_is_sent_is_proven_without_the_server(client: pt.Client, tmp_path: Path) -> None:
    mine = client.model("tilt", 1, kinds=KINDS)
    returns = {f"{level:g}": float(level) - 0.5 for level in QUANTILE_LEVELS}
    receipt = mine.send(
        [
            up(),
            up(horizon=300),
            pt.Price("MSFT", horizon=5, decision_day=DAY, quantiles=returns, unit="log_return"),
            pt.Price("MSFT", horizon=6, decision_day=DAY, normal=(0.001, 0.03)),
            pt.Volatility("MSFT", horizon=5, decision_day=DAY, sd=0.2, per="year"),
            pt.TimeToHit(
                "MSFT",
                horizon=5,
                decision_day=DAY,
                target=-0.04,
                unit="log_return",
                p_hit=0.3,
                expected_sessions=2.0,
                rule="close",
            ),
        ]
    )
    assert receipt.counts == {"accepted": 5, "duplicate": 0, "conflict": 0, "rejected": 1}
    text = str(receipt)
    assert text.startswith(f"5 accepted, 1 rejected, replay, batch {receipt.batches[0]}\n")
    assert "row 1 /horizon: horizon_is_1_to_252_sessions_or_1_to_1440_minutes" in text
    receipt.save(tmp_path / "monday.json")
    proofs = client.proof(tmp_path / "monday.json")
    checked = pt.check(tmp_path / "monday.json", proofs)
    assert (checked.rows, checked.live) == (5, 0)
    kept = client.receipt(receipt.batches[0])
    assert kept["rows"] == receipt.rows


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p["row"].update(confidence=0.9), "does not lead to the hash"),
        (lambda p: p["row"].update(extra=1), "other columns"),
        (lambda p: p["header"].update(origin="live"), "does not lead to the hash"),
        (lambda p: p.update(path=["00" * 32, *p["path"]]), "too long|does not lead"),
        (lambda p: p.pop("hash"), "not a proof"),
        (lambda p: p.update(format="other"), "known format"),
    ],
)
def test_a_proof_that_was_altered_proves_nothing(
    client: pt.Client, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    receipt = client.model("tilt", 1, kinds=KINDS).send([up(), up("MSFT"), up(horizon=6)])
    proofs = client.proof(receipt)
    assert pt.check(receipt, proofs).rows == 3
    change(proofs[1])
    with pytest.raises(pt.ProofError, match=said):
        pt.check(receipt, proofs)


def test_a_receipt_is_compared_with_what_was_committed(client: pt.Client) -> None:
    receipt = client.model("tilt", 1, kinds=KINDS).send([up()])
    proofs = client.proof(receipt)
    receipt.sent[0]["direction"]["p_up"] = 0.57
    with pytest.raises(pt.ProofError, match="other numbers were committed"):
        pt.check(receipt, proofs)
    receipt.sent[0]["symbol"] = "MSFT"
    with pytest.raises(pt.ProofError, match="symbol was committed as AAPL"):
        pt.check(receipt, proofs)
    with pytest.raises(pt.ProofError, match="no proof"):
        pt.check(receipt, [])


def test_a_lost_answer_is_asked_for_with_the_same_key(
    client: pt.Client, transport: Served, tmp_path: Path
) -> None:
    mine = client.model("tilt", 1, kinds=KINDS)
    lost = [True, True, False]

    def lose(request: httpx.Request) -> None:
        if request.method == "POST" and lost.pop(0):
            raise httpx.ReadTimeout("cut off after the commit", request=request)

    transport.after = lose
    receipt = mine.send([up()])
    posts = [r for r in transport.requests if "idempotency-key" in r.headers]
    assert len(posts) == 3
    assert len({r.headers["idempotency-key"] for r in posts}) == 1
    assert receipt.counts["accepted"] == 1
    assert len(list(client.pages("/predictions"))) == 1
    assert not list((tmp_path / "outbox").iterdir())


def test_the_next_process_finds_the_first_answer(
    client: pt.Client, transport: Served, tmp_path: Path
) -> None:
    mine = client.model("tilt", 1, kinds=KINDS)

    def lose(request: httpx.Request) -> None:
        raise httpx.ReadTimeout("cut off", request=request)

    transport.after = lose
    client._connection.give_up_after = 3
    with pytest.raises(pt.Unreachable, match="did not answer"):
        mine.send([up()])
    (left,) = (tmp_path / "outbox").iterdir()
    assert left.stat().st_mode & 0o077 == 0
    transport.after = lambda _: None
    (receipt,) = client.resume()
    assert receipt.counts["accepted"] == 1  # the answer of the first commit, not a duplicate
    assert not list((tmp_path / "outbox").iterdir())


def test_words_without_a_day_are_another_letter_the_next_time(tmp_path: Path) -> None:
    from predtrack_client.outbox import Outbox

    outbox = Outbox(tmp_path)
    first, second = (outbox.put("http://a", "{}", dated=True) for _ in range(2))
    assert first.letter.key == second.letter.key
    first, second = (outbox.put("http://a", "{}", dated=False) for _ in range(2))
    assert first.letter.key != second.letter.key
    assert len(list(outbox.waiting("http://a"))) == 3
    assert not list(outbox.waiting("http://b"))


def test_busy_servers_are_asked_again_and_refusals_are_not(
    client: pt.Client, transport: Served, tmp_path: Path
) -> None:
    mine = client.model("tilt", 1, kinds=KINDS)
    busy = [httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(503), None]
    transport.before = lambda request: busy.pop(0)
    assert mine.send([up()]).counts["accepted"] == 1
    transport.before = lambda _: None
    other = pt.Model(client, "nobody", 1, "nobody-v1")
    before = len(transport.requests)
    with pytest.raises(pt.ApiError, match="422 model_unknown") as refused:
        other.send([up()])
    assert refused.value.request_id
    assert len(transport.requests) == before + 1
    assert not list((tmp_path / "outbox").iterdir())


def test_frames_of_pandas_and_polars_are_the_same_rows(client: pt.Client) -> None:
    mine = client.model("tilt", 1, kinds=KINDS)
    columns = {
        "symbol": ["AAPL", "MSFT"],
        "decision_day": [DAY, DAY],
        "horizon": [5, 5],
        "p_up": [0.6, None],
        **{
            name: [None, q]
            for name, q in zip(QUANTILE_NAMES, np.linspace(-0.1, 0.1, 7), strict=True)
        },
        "unit": [None, "log_return"],
    }
    polars = pl.DataFrame(columns)
    pandas = pd.DataFrame(columns).assign(decision_day=pd.to_datetime([DAY, DAY]))
    assert mine.check(polars) == mine.check(pandas) == []
    assert mine.send_frame(polars).counts["accepted"] == 2
    assert mine.send_frame(pandas).counts["duplicate"] == 2


def test_more_rows_than_a_batch_holds_are_several(
    client: pt.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    import predtrack_client.client

    monkeypatch.setattr(predtrack_client.client, "MAX_ROWS", 3)
    mine = client.model("tilt", 1, kinds=KINDS)
    receipt = mine.send([up(horizon=h) for h in range(1, 8)])
    assert [row["index"] for row in receipt.rows] == list(range(7))
    assert len(receipt.batches) == 3
    assert pt.check(receipt, client.proof(receipt)).rows == 7
    assert mine.send([up(horizon=9)], dry_run=True).batches == []


def test_scores_say_that_there_is_no_evidence_yet(client: pt.Client) -> None:
    mine = client.model("tilt", 1, kinds=KINDS)
    assert str(mine.scores()) == "tilt-v1: no evidence yet, nothing has fallen due"
    with pytest.raises(pt.ApiError, match="404 model_unknown"):
        pt.Model(client, "other", 1, "other-v1").scores()
    assert {row["exchange"] for row in mine.deadlines()} == {"XNYS"}


def test_a_key_is_needed_and_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="PREDTRACK_KEY"):
        pt.Client()
    monkeypatch.setenv("PREDTRACK_KEY", "pt_x")
    with pt.Client("http://127.0.0.1:1", give_up_after=0) as client, pytest.raises(pt.Unreachable):
        client.deadlines()


def test_the_rules_of_a_row_are_the_servers_to_the_byte() -> None:
    assert (SOURCE / "rows.py").read_bytes() == Path(server_rows.__file__).read_bytes()
    assert tuple(QUANTILE_LEVELS) == server_rows.QUANTILE_LEVELS
    named = [row for row, way in client_rows.FLAT.items() if "quantiles" in way]
    assert named == list(QUANTILE_NAMES)


def test_the_client_needs_httpx_and_msgspec_and_nothing_else() -> None:
    allowed = {*sys.stdlib_module_names, "httpx", "msgspec", "predtrack_client"}
    for path in SOURCE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path.name


def test_receipts_are_files_that_last(client: pt.Client, tmp_path: Path) -> None:
    receipt = client.model("tilt", 1, kinds=KINDS).send([up(client_id="mine")])
    receipt.save(tmp_path / "r.json")
    assert pt.Receipt.load(tmp_path / "r.json") == receipt
    assert json.loads((tmp_path / "r.json").read_text())["sent"][0]["client_id"] == "mine"
    assert date.fromisoformat(receipt.rows[0]["decision_day"]) == DAY
