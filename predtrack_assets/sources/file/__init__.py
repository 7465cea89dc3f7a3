"""Price files as people have them.

Belongs here: which columns a vendor's file has, how its dates and numbers are spelled, which rows
cannot be read and why. Does not: whether a bar is plausible (domain.market.bars).
"""
