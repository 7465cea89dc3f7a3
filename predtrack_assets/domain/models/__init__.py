"""What predicts: baselines, fitted models, labels, walk-forward validation, tuning.

Belongs here: from as-of statistics or features to a forecast.
Does not: what becomes of a forecast; artifacts and the registry.
"""
