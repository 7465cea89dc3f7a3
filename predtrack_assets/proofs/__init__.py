"""Proofs that nothing looks ahead: replay of what is stored, and poison in the future.

Belongs here: which computations are proven, how, and the asset checks that say so.
Does not: the computations themselves (assets), the copy that is poisoned (warehouse).
"""
