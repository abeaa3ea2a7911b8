"""A supervisor over stand-in services, as a program: `python -m tests.support.supervised`.

Its services are a process that starts a grandchild, one that ignores SIGTERM, and one that leaves an orphan
in a session of its own. Settings come from the environment, as for `structforge up`.
"""

import sys

from rich.console import Console

from structforge.config import load_settings
from structforge.embedded.progress import TerminalReporter
from structforge.embedded.startup import StartOptions, prepare_home, startup_steps
from structforge.embedded.supervisor import Service, Step, Supervisor

FOLLOW = (
    "import sys, time; from structforge.config import load_settings; "
    "from structforge.embedded.processes import follow_parent; "
    "follow_parent(load_settings().lifeline_fd, grace_s=0.5); "
)
PARENT = FOLLOW + "import subprocess; subprocess.Popen(['sleep', '1000']); time.sleep(1000)"
DEAF = FOLLOW + "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
LEAVER = FOLLOW + (
    "import subprocess; "
    "subprocess.run(['sh', '-c', 'setsid sleep 2000 & exit 0'], check=True); time.sleep(1000)"
)


def start_stand_ins(supervisor: Supervisor) -> str:
    """Start the three services."""
    for name, code in (("parent", PARENT), ("deaf", DEAF), ("leaver", LEAVER)):
        supervisor.start_service(Service(name, (sys.executable, "-c", code)))
    return ""


def main() -> int:
    """Run until asked to stop."""
    settings = load_settings()
    prepare_home(settings)
    servers = [s for s in startup_steps(settings, StartOptions()) if s.title in ("PostgreSQL", "Redis")]
    reporter = TerminalReporter(Console())
    supervisor = Supervisor(settings, reporter)
    return supervisor.run(
        [*servers, Step("Stand-ins", start_stand_ins)],
        ready=lambda _: reporter.emit({"event": "ready", "url": settings.web_url, "hint": ""}),
    )


if __name__ == "__main__":
    sys.exit(main())
