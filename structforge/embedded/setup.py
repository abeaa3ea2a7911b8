"""What `structforge up` does to the database before and after the services start, in a process of its own.

    python -m structforge.embedded.setup prepare

Invariant: run twice, the second time changes nothing; stdout holds only JSON events for the supervisor, which
stays small because nothing of this is loaded into it.
"""

import asyncio
import json
import sys

from structforge.config import Settings, load_settings
from structforge.domain.errors import StructForgeError
from structforge.embedded.progress import Event
from structforge.storage import migrate
from structforge.storage.roles import Roles


def database_roles(settings: Settings) -> Roles:
    """Return the roles that migrations create, as processes sign in with them."""
    return Roles.of_urls(settings.database_app_role_url, settings.database_engine_role_url)


async def prepare(settings: Settings) -> None:
    """Migrate; create what a new installation needs."""
    pending = await migrate.pending(settings.database_owner_url)
    if pending:
        await migrate.upgrade(settings.database_owner_url, database_roles(settings))
    tell({"event": "outcome", "text": f"{len(pending)} migrations" if pending else "up to date"})


def tell(event: Event) -> None:
    """Send one event to the supervisor."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the named part."""
    parts = {"prepare": prepare}
    try:
        asyncio.run(parts[sys.argv[1]](load_settings()))
    except StructForgeError as error:
        tell({"event": "failed", "problem": error.problem.as_json()})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
