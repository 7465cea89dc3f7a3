"""The forecast ledger's arithmetic: row encoding, Merkle trees, the chain, proofs, checkpoints.

Belongs here: bytes and hashes, as docs/guide/ledger.md defines them.
Does not: where rows and hashes are stored, and whose key signs.
"""
