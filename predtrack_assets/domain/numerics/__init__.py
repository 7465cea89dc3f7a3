"""Machine-level helpers: jit functions, orders of rows, digests, array types.

Belongs here: what every computation may use and that knows nothing of markets.
Does not: anything of prices, models or predictions.
"""
