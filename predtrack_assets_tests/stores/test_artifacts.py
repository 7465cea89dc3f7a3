"""Artifacts: named by content, whole or absent, checked when loaded; on disk and on S3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from predtrack_assets.stores import artifacts
from predtrack_assets.stores.artifacts import ArtifactError

CONTENT = b'{"format": 1}'
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """s3:// URL of a bucket on a real S3-compatible server on this machine."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3").create_bucket(Bucket="models")
    yield "s3://models/fits"
    server.stop()


def test_content_comes_back_and_is_stored_once(tmp_path: Path) -> None:
    first = artifacts.store(CONTENT, str(tmp_path / "a"))
    assert (first.sha256, first.size) == (SHA256, len(CONTENT))
    assert first.uri.startswith("file:///")
    assert artifacts.load("m@1", first.uri, first.sha256) == CONTENT
    assert artifacts.store(CONTENT, str(tmp_path / "a")) == first
    assert [p.name for p in (tmp_path / "a").rglob("*") if p.is_file()] == [f"{SHA256}.json"]


def test_a_changed_file_is_refused_by_name(tmp_path: Path) -> None:
    stored = artifacts.store(CONTENT, str(tmp_path))
    (path,) = (p for p in tmp_path.rglob("*.json"))
    path.write_bytes(CONTENT.replace(b"1", b"2"))
    with pytest.raises(ArtifactError, match=r"pooled-v1@2011-02-28 is not the one.*refused"):
        artifacts.load("pooled-v1@2011-02-28", stored.uri, stored.sha256)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"m@1 is missing"):
        artifacts.load("m@1", (tmp_path / "gone.json").as_uri(), SHA256)


def test_a_store_that_moved_is_found_by_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = artifacts.store(CONTENT, str(tmp_path / "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    monkeypatch.setenv("PREDTRACK_ARTIFACTS", str(tmp_path / "new"))
    assert artifacts.load("m@1", stored.uri, stored.sha256) == CONTENT


def test_what_lies_there_by_that_name_and_is_something_else_is_replaced(tmp_path: Path) -> None:
    artifacts.store(CONTENT, str(tmp_path))
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(b"garbage")
    stored = artifacts.store(CONTENT, str(tmp_path))
    assert artifacts.load("m@1", stored.uri, stored.sha256) == CONTENT


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"m@1 cannot be read: file://\S+ \(Is a directory\)"):
        artifacts.load("m@1", tmp_path.as_uri(), SHA256)


def test_a_write_that_fails_leaves_nothing_to_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(OSError, match="no space"):
        artifacts.store(CONTENT, str(tmp_path))
    assert not list(tmp_path.rglob("*.json"))
    monkeypatch.undo()
    assert artifacts.store(CONTENT, str(tmp_path)).sha256 == SHA256


def test_an_unknown_place_is_an_artifact_error() -> None:
    with pytest.raises(ArtifactError, match="no artifacts at nowhere://x"):
        artifacts.store(CONTENT, "nowhere://x")


def test_s3_keeps_refuses_and_misses_alike(bucket: str) -> None:
    import boto3

    stored = artifacts.store(CONTENT, bucket)
    assert stored.uri == f"{bucket}/{SHA256[:2]}/{SHA256}.json"
    assert artifacts.load("m@1", stored.uri, stored.sha256) == CONTENT
    assert artifacts.store(CONTENT, bucket) == stored
    key = stored.uri.removeprefix("s3://models/")
    client = boto3.client("s3")
    client.put_object(Bucket="models", Key=key, Body=b"{}")
    with pytest.raises(ArtifactError, match="not the one that was stored"):
        artifacts.load("m@1", stored.uri, stored.sha256)
    client.delete_object(Bucket="models", Key=key)
    with pytest.raises(ArtifactError, match="m@1 is missing"):
        artifacts.load("m@1", stored.uri, stored.sha256)
