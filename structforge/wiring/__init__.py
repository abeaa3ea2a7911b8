"""The composition root: the one place that builds databases, Redis clients, adapters and services.

One module for each kind of process, so that a worker and a scheduler load only what they have. Invariant:
building does no I/O; `open` and `close` do, in order and in reverse. Only entry points import it.
"""
