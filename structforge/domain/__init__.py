"""Pure values and rules: no I/O, no clock, no Reflex, RQ, SQL or HTTP. Everything may import it; it imports nothing of ours."""
