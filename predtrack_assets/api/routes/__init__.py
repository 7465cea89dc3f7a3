"""Routes of /api/v1, one file a subject.

Belongs here: one function a route, a service call each.
Does not: computations; SQL; authentication (../auth).
"""
