"""The fleet of the crash tests: an installation in this process, workers and schedulers as processes."""

from tests.crash.conftest import fleet, gate

__all__ = ["fleet", "gate"]
