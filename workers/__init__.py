"""Entry points of the worker and scheduler processes."""
