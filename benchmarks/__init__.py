"""What is fast and how fast, as commands: `python -m benchmarks` (see docs/benchmarks.md).

Belongs here: measurements of the product against a floor taken in the same run.
Does not: tests, and anything the product needs.
"""
