"""What moves: the queue that wakes workers, the worker's loop, live events, processes for blocking nodes, sweeps.

Invariant: Redis and RQ carry hints only; losing all of them delays runs and loses none.
"""
