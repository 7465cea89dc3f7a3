"""PredTrack: the honest scoreboard for market predictions, as a Dagster project."""
