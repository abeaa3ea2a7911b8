"""What the least possible program needs for the same promise: the same PostgreSQL, driver, durability and client.

Invariant: a floor keeps only what makes the promise (durable before the answer) and the transport; nothing of it
is code of the product.
"""
