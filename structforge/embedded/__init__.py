"""The one-machine default: PostgreSQL, Redis and Node from PyPI wheels, and the supervisor over them."""
