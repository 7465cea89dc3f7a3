"""What to want: from what was known on a day to a score and a direction per symbol.

Belongs here: strategies, which emit signals only. Does not: sizes (../allocation), orders and money
(../book.py). Nothing on the way to an order goes through BLAS: loops are compiled, in fixed order.
"""
