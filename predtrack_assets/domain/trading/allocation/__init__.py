"""How much of each: from signals to shares of equity, all sizing in one place.

Belongs here: covariance and weights over the symbols that a strategy chose. Does not: what is
chosen (../strategies), orders (../rebalancing.py). No BLAS: equal bits on every machine.
"""
