"""From an order that is asked for to its fills.

Belongs here: orders, the market's day, sizing, prices, fees, slippage, matching, in Decimal.
Does not: what decides an order (strategies); what happens to holdings without one (../holdings).
"""
