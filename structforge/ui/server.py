"""`python -m structforge.ui.server`: web app and API on one port, from the prebuilt bundle, without Node.

Invariant: Reflex reads its settings from the environment and the working directory, so both are set before it
is imported: `serve` replaces this process, keeping its id. Imports no Reflex.
"""

import os
import sys
from pathlib import Path

from structforge.config import Settings, child_environment, load_settings
from structforge.domain.errors import StructForgeError
from structforge.ui.bundle import SOURCE, build_bundle

APPLICATION = "structforge.ui.web_process:application"
"""What a web process runs: a factory of an ASGI application."""


def web_environment(settings: Settings, bundle: Path) -> dict[str, str]:
    """Return the whole environment of the web process."""
    environment = child_environment(
        STRUCTFORGE_HOME=str(settings.home),
        STRUCTFORGE_HOST=settings.host,
        STRUCTFORGE_PORT=str(settings.port),
        REFLEX_ENV_MODE="prod",
        REFLEX_BACKEND_ONLY="true",
        REFLEX_WEB_WORKDIR=str(bundle / "web"),
        REFLEX_UPLOADED_FILES_DIR=str(settings.home / "uploads"),
        REFLEX_DIR=str(settings.bundle_dir / "reflex"),
        REFLEX_STATES_WORKDIR=str(settings.bundle_dir / "states"),
        REFLEX_TELEMETRY_ENABLED="false",
        REFLEX_CHECK_LATEST_VERSION="false",
        __REFLEX_SKIP_COMPILE="true",
        __REFLEX_MOUNT_FRONTEND_COMPILED_APP="true",
    )
    for name, secret in (("DATABASE_URL", settings.database_url), ("REDIS_URL", settings.redis_url)):
        if secret is not None:
            environment[name] = secret.get_secret_value()
    path = [str(SOURCE), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
    return environment


def serve(settings: Settings, application: str = APPLICATION) -> None:
    """Become the web process; does not return. Builds the bundle when it is not there."""
    bundle = build_bundle(settings)
    environment = web_environment(settings, bundle)
    os.chdir(bundle)
    os.execve(sys.executable, [sys.executable, "-m", "structforge.ui.web_process", application], environment)


def main() -> int:
    """Serve with the settings of the environment. Exit code 1, the reason on stderr, when that fails."""
    try:
        serve(load_settings())
    except StructForgeError as error:
        sys.stderr.write(f"{error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
