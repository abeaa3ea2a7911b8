"""The engine: what every process that executes or accepts runs has."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from structforge.config import Settings
from structforge.domain.errors import Problem
from structforge.domain.validation import errors_of, validate
from structforge.domain.workflow import WorkflowDocument
from structforge.engine import faults
from structforge.engine.environment import EngineLimits, Environment
from structforge.engine.plans import PlanCache
from structforge.engine.reading import TableDecoder
from structforge.nodes.tables import table_cells, table_rows, table_shape
from structforge.plugins import load_registry
from structforge.runtime.callees import CalleeService
from structforge.runtime.events import EventHub, EventPublisher, connect_async, connect_subscriber
from structforge.runtime.postgres.access import Databases
from structforge.runtime.processes import ProcessPool
from structforge.runtime.queue import Bell
from structforge.sdk import TABLE_MEDIA_TYPE, NodeRegistry
from structforge.sdk.shapes import shapes_of
from structforge.security.cipher import CONNECTION_SECRET, Cipher
from structforge.security.keyring import Keyring, load_keyring
from structforge.security.outbound import OutboundClient
from structforge.security.redaction import Redactor
from structforge.security.resume import ResumeTokens
from structforge.storage.artifacts import FileArtifactStore, OrganizationArtifacts
from structforge.storage.engine_pool import EnginePool, connection_string, make_engine_pool
from structforge.storage.journal import PostgresJournal
from structforge.storage.versions import load_document

TABLES = TableDecoder(table_rows, table_cells, table_shape)
"""How expressions and people see tables that travel as artifacts."""


@dataclass
class Engine:
    """What every process that executes or accepts runs has."""

    settings: Settings
    registry: NodeRegistry
    pool: EnginePool
    """Connections of the engine's role."""
    databases: Databases
    environment: Environment
    plans: PlanCache
    journal: PostgresJournal
    publisher: EventPublisher
    hub: EventHub
    bell: Bell
    closing: AsyncExitStack

    async def open(self) -> None:
        """Connect everything."""
        await self.pool.open()
        self.closing.push_async_callback(self.pool.close)
        await self.hub.open()
        self.closing.push_async_callback(self.hub.close)
        await self.journal.open()
        self.closing.push_async_callback(self.journal.close)

    async def close(self) -> None:
        """Disconnect everything, the last opened first."""
        await self.closing.aclose()


def build_engine(
    settings: Settings, pool: EnginePool | None = None, redactor: Redactor | None = None
) -> Engine:
    """Build the engine of one process. Call it on the event loop it will live on.

    `redactor` is the log's: it learns the secrets that are opened.
    """
    registry = load_registry()
    pool = pool or make_engine_pool(settings.database_engine_role_url, settings.database_pool_size)
    closing = AsyncExitStack()
    redis = connect_async(settings.redis_server_url)
    closing.push_async_callback(redis.aclose)
    publisher = EventPublisher(redis)
    http = OutboundClient(allowed_private_hosts=settings.outbound_allow_hosts)
    closing.push_async_callback(http.aclose)
    processes = ProcessPool(
        settings.blocking_processes, settings.artifacts_dir, settings.files_dir, settings.file_max_bytes
    )
    closing.push_async_callback(processes.close)
    bell = Bell(settings.redis_server_url)
    closing.callback(bell.close)
    faults.arm(settings.crash_at, settings.crash_after)
    store = FileArtifactStore(settings.artifacts_dir, max_bytes=settings.file_max_bytes)

    async def load(version_id: UUID) -> WorkflowDocument:
        async with pool.connection() as connection:
            return await load_document(connection, version_id)

    plans = PlanCache(registry, load)
    callees = CalleeService(
        pool, plans, checker(registry), publisher, bell.ring, max_depth=settings.call_depth_max
    )
    databases = Databases(
        pool,
        Cipher(settings_keyring(settings), CONNECTION_SECRET),
        redactor or Redactor(),
        allowed_private_hosts=settings.outbound_allow_hosts,
    )
    return Engine(
        settings=settings,
        registry=registry,
        pool=pool,
        databases=databases,
        environment=Environment(
            registry=registry,
            artifacts=partial(OrganizationArtifacts, store),
            files=partial(_files_of, settings.files_dir),
            http=http,
            processes=processes,
            decoders={TABLE_MEDIA_TYPE: TABLES},
            databases=databases.of,
            limits=EngineLimits(
                inline_value_bytes=settings.inline_value_max_bytes, max_read_values=settings.read_values_max
            ),
            callees=callees,
            resume_url=resume_url(settings),
            ring=bell.ring,
        ),
        plans=plans,
        journal=PostgresJournal(engine_conninfo(settings), publisher, passing=faults.point),
        publisher=publisher,
        hub=EventHub(connect_subscriber(settings.redis_server_url)),
        bell=bell,
        closing=closing,
    )


def checker(registry: NodeRegistry) -> Callable[[WorkflowDocument], list[Problem]]:
    """Return the function that lists what keeps a document from running."""
    shapes = shapes_of(registry)
    return lambda document: errors_of(validate(document, shapes))


def resume_tokens(settings: Settings) -> ResumeTokens:
    """Return the maker of the tokens in addresses of waiting steps."""
    return ResumeTokens(lambda: settings_keyring(settings))


def resume_url(settings: Settings) -> Callable[[UUID, UUID, str], str]:
    """Return the function that names the address at which a waiting step is answered."""
    tokens = resume_tokens(settings)
    return lambda organization_id, run_id, step_key: (
        f"{settings.web_url}/hooks/resume/{tokens.make(organization_id, run_id, step_key)}"
    )


def settings_keyring(settings: Settings) -> Keyring:
    """Return the secret keys of this installation."""
    secret = None if settings.secret_key is None else settings.secret_key.get_secret_value()
    return load_keyring(secret, settings.home)


def engine_conninfo(settings: Settings) -> str:
    """Return the connection string of the engine's role."""
    return connection_string(settings.database_engine_role_url, "structforge-engine")


def _files_of(root: Path, organization_id: UUID) -> Path:
    return root / str(organization_id)
