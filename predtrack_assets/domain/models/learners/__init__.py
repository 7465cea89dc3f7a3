"""Models that are fitted to data: pooled over symbols, their choice, and their correction per symbol.

Belongs here: fitting, predicting, choosing and explaining, from arrays alone, in one safe format.
Does not: reading features, storing artifacts, the registry; models without parameters (../models).
"""
