"""What `structforge up` does to the database before and after the services start, in a process of its own.

    python -m structforge.embedded.setup prepare | run-starter

Invariant: run twice, the second time changes nothing; stdout holds only JSON events for the supervisor, which
stays small because nothing of this is loaded into it.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from structforge.config import Settings, load_settings
from structforge.domain.access import Principal
from structforge.domain.errors import StructForgeError
from structforge.embedded.progress import Event
from structforge.embedded.starter import run_starter
from structforge.interchange import own
from structforge.local_api import open_api
from structforge.plugins import load_registry
from structforge.runtime.events import connect_async
from structforge.sdk.shapes import shapes_of
from structforge.services.identity import IdentityService
from structforge.services.workflows import WorkflowService
from structforge.storage import migrate
from structforge.storage.database import Database
from structforge.storage.repositories.paging import MAX_PAGE_SIZE, Cursor
from structforge.storage.roles import Roles
from structforge.wiring.web import build_identity

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@dataclass(frozen=True, slots=True)
class Services:
    """What setting up an installation needs."""

    identity: IdentityService
    workflows: WorkflowService


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Connect as the owner of the database."""
    database = Database(
        settings.database_app_role_url, settings.database_engine_role_url, settings.database_owner_url
    )
    redis = connect_async(settings.redis_server_url)
    try:
        yield Services(
            build_identity(settings, database, redis),
            WorkflowService(database, shapes_of(load_registry())),
        )
    finally:
        await redis.aclose()
        await database.close()


async def prepare(settings: Settings) -> None:
    """Migrate; create the first organization, its administrator and the starter workflows."""
    pending = await migrate.pending(settings.database_owner_url)
    if pending:
        roles = Roles.of_urls(settings.database_app_role_url, settings.database_engine_role_url)
        await migrate.upgrade(settings.database_owner_url, roles)
    async with open_services(settings) as services:
        given = settings.admin_password.get_secret_value() if settings.admin_password else None
        password = await services.identity.bootstrap(settings.admin_email, given)
        if password is not None and given is None:
            tell({"event": "credentials", "email": settings.admin_email, "password": password})
        added = await _add_starters(services, settings)
    said = ["migrated"] if pending else []
    said += [f"{added} starter workflows"] if added else []
    tell({"event": "outcome", "text": ", ".join(said) or "up to date"})


async def starter(settings: Settings) -> None:
    """Run the starter workflow through the API, as a user of it would."""
    async with open_services(settings) as services:
        session = await services.identity.open_local_session(settings.admin_email)
        try:
            async with open_api(settings.local_url, session.access_token) as api:
                tell(await run_starter(api))
        finally:
            await services.identity.sign_out(access_token=session.access_token)


async def _add_starters(services: Services, settings: Settings) -> int:
    """Add each workflow of `examples/` that was never there, and its data; a deleted one stays away."""
    session = await services.identity.open_local_session(settings.admin_email)
    try:
        principal = await services.identity.principal(session.access_token)
        _copy_data(settings.files_dir, principal.organization_id)
        known = await _names(services.workflows, principal)
        added = 0
        for path in sorted(EXAMPLES.glob("*.json")):
            file = own.read(path.read_bytes(), name=path.stem)
            if file.labels.name not in known:
                made = await services.workflows.import_file(principal, file)
                await services.workflows.publish(principal, made.summary.id)
                added += 1
        return added
    finally:
        await services.identity.sign_out(access_token=session.access_token)


async def _names(workflows: WorkflowService, principal: Principal) -> set[str]:
    names: set[str] = set()
    for deleted in (False, True):
        following: str | None = ""
        while following is not None:
            cursor = Cursor.decode(following) if following else None
            page = await workflows.page(principal, deleted=deleted, cursor=cursor, limit=MAX_PAGE_SIZE)
            names |= {summary.labels.name for summary in page.items}
            following = page.next_cursor
    return names


def _copy_data(files_dir: Path, organization_id: UUID) -> None:
    target = files_dir / str(organization_id) / "data"
    target.mkdir(parents=True, exist_ok=True)
    for source in (EXAMPLES / "data").iterdir():
        if not (target / source.name).exists():
            draft = target / f".{source.name}.draft"
            shutil.copyfile(source, draft)
            draft.replace(target / source.name)


def tell(event: Event) -> None:
    """Send one event to the supervisor."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the named part."""
    parts = {"prepare": prepare, "run-starter": starter}
    try:
        asyncio.run(parts[sys.argv[1]](load_settings()))
    except StructForgeError as error:
        tell({"event": "failed", "problem": error.problem.as_json()})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
