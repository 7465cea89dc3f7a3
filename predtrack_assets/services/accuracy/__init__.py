"""Accuracy of predictions: sums per due day, and reports of periods over them.

Belongs here: summing a window of days, reports of a period that anybody asks for.
Does not: formulas (domain/accuracy), Dagster.
"""
