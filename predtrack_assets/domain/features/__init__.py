"""Feature vectors of symbols, as of a day.

Belongs here: indicators, feature sets, regimes of a symbol.
Does not: labels and models; how vectors are stored.
"""
