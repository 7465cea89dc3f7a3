"""What is held, and what happens to it without an order.

Belongs here: money, positions, journal, corporate actions, interest, margin, delisting, marks.
Does not: orders and their fills (../execution); bars and actions as they are stored (market).
"""
