"""Market data vendors behind one protocol, `PriceSource`.

Belongs here: fetching, routing, vendor quirks, retries.
Does not: judging a bar (domain.bars), storing it (warehouse).
"""
