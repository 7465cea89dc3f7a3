"""Jobs, schedules and sensors: when things run.

Belongs here: selections, cron times, run requests.
Does not: what is computed (assets).
"""
