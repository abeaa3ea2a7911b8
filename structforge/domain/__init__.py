"""Pure values and rules: no I/O, no clock, no Reflex, RQ, SQL or HTTP.

Invariant: everything may import it; it imports nothing of ours.
"""
