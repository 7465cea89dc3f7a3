"""Books, from orders and prices to cash and positions.

Belongs here: what reads orders, prices or stored books, steps the book and writes what it adds.
Does not: the rules of execution (domain/trading), SQL (warehouse/trading).
"""
