"""Reports about outcomes: calibration, skill, coverage, errors, symbols, regimes.

Belongs here: grouping outcomes into cells and periods and calling statistics.
Does not: formulas (statistics); decisions about models (deployment).
"""
