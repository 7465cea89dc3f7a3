"""Checks of every table."""

CHECKS: list = []
