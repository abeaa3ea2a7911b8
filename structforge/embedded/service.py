"""`python -m structforge.embedded.service MODULE`: a service as the supervisor starts it.

Invariant: it ends soon after its supervisor does, however that ended; else it is `python -m MODULE`.
"""

import runpy
import sys

from structforge.config import load_settings
from structforge.embedded.processes import follow_parent


def main() -> None:
    """Tie this process to its supervisor, then become the module."""
    settings = load_settings()
    follow_parent(settings.lifeline_fd, grace_s=settings.stop_grace_s)
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
