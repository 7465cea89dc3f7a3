"""Sessions of exchanges, their closes and holidays.

Belongs here: calendars, horizons, moments.
Does not: prices; the clock.
"""
