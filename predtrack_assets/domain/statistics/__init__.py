"""Formulas under their textbook names, each with its source.

Belongs here: scores, effective sizes, calibration, tests: arrays in, arrays out.
Does not: report tables, models, what a number is used for.
"""
