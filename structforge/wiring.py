"""The composition root: the one place that builds databases, Redis clients, adapters and services.

Invariant: building does no I/O; `open` and `close` do, in order and in reverse. Only entry points import it.
"""

import os
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import text

from structforge.api.services import ApiServices
from structforge.config import Settings
from structforge.domain.errors import Problem
from structforge.domain.ids import new_id
from structforge.domain.validation import errors_of, validate
from structforge.domain.workflow import WorkflowDocument
from structforge.engine import faults
from structforge.engine.environment import EngineLimits, Environment
from structforge.engine.plans import PlanCache
from structforge.nodes.tables import load_table_json
from structforge.plugins import load_registry
from structforge.runtime.dispatcher import Dispatcher
from structforge.runtime.events import EventHub, EventPublisher, connect_async, connect_subscriber
from structforge.runtime.processes import ProcessPool
from structforge.runtime.queue import Bell
from structforge.runtime.scheduler import Duty, Scheduler, ensure_partitions, expire_idempotency_keys
from structforge.runtime.worker import RunWorker, WorkerLimits
from structforge.sdk import TABLE_MEDIA_TYPE, NodeRegistry
from structforge.sdk.shapes import shapes_of
from structforge.security.cipher import Cipher
from structforge.security.keyring import load_keyring
from structforge.security.outbound import OutboundClient
from structforge.security.passwords import Passwords
from structforge.security.tokens import AccessTokens
from structforge.services.answers import AnswerService
from structforge.services.comparisons import ComparisonService
from structforge.services.files import FileService
from structforge.services.identity import IdentityService
from structforge.services.nodes import NodeTypeService
from structforge.services.replays import ReplayService
from structforge.services.runs import RunService
from structforge.services.targets import Targets
from structforge.services.triggers import TriggerService
from structforge.services.workflows import WorkflowService
from structforge.storage.artifacts import FileArtifactStore, OrganizationArtifacts
from structforge.storage.database import Database, connection_string
from structforge.storage.journal import PostgresJournal
from structforge.storage.versions import load_document


@dataclass(slots=True)
class Engine:
    """What every process that executes or accepts runs has."""

    settings: Settings
    registry: NodeRegistry
    database: Database
    environment: Environment
    plans: PlanCache
    journal: PostgresJournal
    publisher: EventPublisher
    hub: EventHub
    bell: Bell
    closing: AsyncExitStack

    async def open(self) -> None:
        """Connect everything."""
        await self.database.open()
        self.closing.push_async_callback(self.database.close)
        await self.hub.open()
        self.closing.push_async_callback(self.hub.close)
        await self.journal.open()
        self.closing.push_async_callback(self.journal.close)

    async def close(self) -> None:
        """Disconnect everything, the last opened first."""
        await self.closing.aclose()


def build_engine(settings: Settings, registry: NodeRegistry | None = None) -> Engine:
    """Build the engine of one process. Call it on the event loop it will live on."""
    registry = registry or load_registry()
    database = Database(
        settings.database_app_role_url,
        settings.database_engine_role_url,
        pool_size=settings.database_pool_size,
    )
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
        async with database.engine_pool.connection() as connection:
            return await load_document(connection, version_id)

    return Engine(
        settings=settings,
        registry=registry,
        database=database,
        environment=Environment(
            registry=registry,
            artifacts=partial(OrganizationArtifacts, store),
            files=partial(_files_of, settings.files_dir),
            http=http,
            processes=processes,
            decoders={TABLE_MEDIA_TYPE: load_table_json},
            limits=EngineLimits(inline_value_bytes=settings.inline_value_max_bytes),
        ),
        plans=PlanCache(registry, load),
        journal=PostgresJournal(_engine_conninfo(settings), publisher, passing=faults.point),
        publisher=publisher,
        hub=EventHub(connect_subscriber(settings.redis_server_url)),
        bell=bell,
        closing=closing,
    )


def _engine_conninfo(settings: Settings) -> str:
    return connection_string(settings.database_engine_role_url, "structforge-engine")


def _files_of(root: Path, organization_id: UUID) -> Path:
    return root / str(organization_id)


def build_targets(engine: Engine) -> Targets:
    """Build the cache of what can be started."""
    return Targets(
        engine.database,
        engine.plans,
        checker(engine.registry),
        connection_string(engine.settings.database_app_role_url, "structforge-notifications"),
    )


def checker(registry: NodeRegistry) -> Callable[[WorkflowDocument], list[Problem]]:
    """Return the function that lists what keeps a document from running."""
    shapes = shapes_of(registry)
    return lambda document: errors_of(validate(document, shapes))


def build_runs(engine: Engine, targets: Targets) -> RunService:
    """Build the run service of a web process."""
    return RunService(
        engine.database,
        engine.journal,
        engine.environment,
        targets,
        engine.hub,
        engine.publisher,
        engine.bell.ring,
        max_time_limit_s=engine.settings.sync_run_limit_s,
    )


def build_identity(settings: Settings, database: Database, redis: Redis) -> IdentityService:
    """Build the accounts; `bootstrap` needs a database that knows the owner's URL."""
    secret = None if settings.secret_key is None else settings.secret_key.get_secret_value()
    tokens = AccessTokens(load_keyring(secret, settings.home), ttl_s=settings.access_token_ttl_s)
    return IdentityService(database, redis, Passwords(), tokens, refresh_ttl_s=settings.refresh_token_ttl_s)


def build_api(engine: Engine, runs: RunService, targets: Targets) -> ApiServices:
    """Build what the gateway of a web process needs; `api.app.create_app` makes it an application."""
    settings, database = engine.settings, engine.database
    redis = connect_async(settings.redis_server_url)
    engine.closing.push_async_callback(redis.aclose)

    async def ask_database() -> None:
        async with database.global_transaction() as session:
            await session.execute(text("SELECT 1"))

    async def ask_redis() -> None:
        await redis.get("structforge:probe")

    store = FileArtifactStore(settings.artifacts_dir, max_bytes=settings.file_max_bytes)
    secret = None if settings.secret_key is None else settings.secret_key.get_secret_value()
    keyring = load_keyring(secret, settings.home)
    return ApiServices(
        identity=build_identity(settings, database, redis),
        workflows=WorkflowService(database, shapes_of(engine.registry)),
        runs=runs,
        triggers=TriggerService(database, redis, targets, Cipher(keyring, "trigger-secret")),
        comparisons=ComparisonService(runs),
        replays=ReplayService(database, engine.journal, targets, engine.bell.ring),
        answers=AnswerService(database, engine.bell.ring),
        nodes=NodeTypeService(engine.registry),
        files=FileService(database, store, settings.files_dir, max_bytes=settings.file_max_bytes),
        probes={"database": ask_database, "redis": ask_redis},
        public_url=settings.web_url,
        access_ttl_s=settings.access_token_ttl_s,
        body_max_bytes=settings.request_body_max_bytes,
        file_max_bytes=settings.file_max_bytes,
        sync_limit_s=settings.sync_run_limit_s,
    )


def build_worker(engine: Engine) -> RunWorker:
    """Build the loop of a worker process."""
    settings = engine.settings
    name = f"{socket.gethostname()}-{os.getpid()}-{new_id().hex[-6:]}"
    return RunWorker(
        name,
        _engine_conninfo(settings),
        engine.journal,
        engine.environment,
        engine.plans,
        engine.hub,
        engine.bell.ring,
        WorkerLimits(slots=settings.worker_slots, lease_s=settings.lease_s, drain_s=settings.drain_s),
    )


def build_scheduler(settings: Settings) -> tuple[Scheduler, Bell]:
    """Build the scheduler process and the bell it rings."""
    bell = Bell(settings.redis_server_url)
    dispatcher = Dispatcher(bell.ring, settings.redispatch_after_s)
    duties = (
        Duty("dispatch", min(1.0, settings.redispatch_after_s), dispatcher.sweep),
        Duty("partitions", 3_600.0, ensure_partitions),
        Duty("idempotency keys", 300.0, expire_idempotency_keys),
    )
    return Scheduler(_engine_conninfo(settings), duties), bell
