"""Statements about the keys of the API."""

from __future__ import annotations

from predtrack_assets.warehouse.database.query import Query

CREATE = Query("""
    INSERT INTO audit.api_keys (key_id, secret_sha256, name, scopes, expires_at)
    VALUES (:key_id, :secret, :name, :scopes, CAST(:expires_at AS timestamptz))
    RETURNING key_id
""")
FIND = Query("""
    SELECT key_id, secret_sha256 AS secret, name, scopes,
           revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AS valid
    FROM audit.api_keys WHERE key_id = :key_id
""")
ALL = Query("""
    SELECT key_id, name, scopes, recorded_at, expires_at, revoked_at FROM audit.api_keys
    ORDER BY recorded_at
""")
REVOKE = Query("""
    UPDATE audit.api_keys SET revoked_at = now() WHERE key_id = :key_id AND revoked_at IS NULL
    RETURNING key_id
""")
