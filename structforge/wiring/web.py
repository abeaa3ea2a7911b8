"""The web process: services and the gateway over the engine that accepts runs and executes short ones itself."""

from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy import text

from structforge.api.services import ApiServices
from structforge.config import Settings
from structforge.runtime.events import connect_async
from structforge.sdk.shapes import shapes_of
from structforge.security.cipher import CONNECTION_SECRET, TRIGGER_SECRET, Cipher
from structforge.security.passwords import Passwords
from structforge.security.redaction import Redactor
from structforge.security.tokens import AccessTokens
from structforge.services.answers import AnswerService
from structforge.services.artifact_views import ArtifactViews
from structforge.services.bulk import BulkService
from structforge.services.comparisons import ComparisonService
from structforge.services.connections import ConnectionService
from structforge.services.draft_memory import DraftMemory
from structforge.services.draft_runs import DraftRunService
from structforge.services.file_previews import FilePreviews
from structforge.services.files import FileService
from structforge.services.identity import IdentityService
from structforge.services.limits import LimitService
from structforge.services.members import MemberService
from structforge.services.nodes import NodeTypeService
from structforge.services.replays import ReplayService
from structforge.services.resumes import ResumeService
from structforge.services.runs import RunService
from structforge.services.targets import Targets
from structforge.services.triggers import TriggerService
from structforge.services.workflows import WorkflowService
from structforge.storage.artifacts import FileArtifactStore
from structforge.storage.database import Database
from structforge.storage.engine_pool import connection_string
from structforge.wiring import engine as shared


@dataclass
class WebEngine(shared.Engine):
    """The engine, and the database as the app's role sees it."""

    database: Database


def build_engine(settings: Settings, redactor: Redactor | None = None) -> WebEngine:
    """Build the engine of a web process. Call it on the event loop it will live on."""
    database = Database(
        settings.database_app_role_url,
        settings.database_engine_role_url,
        pool_size=settings.database_pool_size,
    )
    engine = shared.build_engine(settings, database.engine_pool, redactor)
    engine.closing.push_async_callback(database.close)
    return WebEngine(**vars(engine), database=database)


def build_targets(engine: WebEngine) -> Targets:
    """Build the cache of what can be started."""
    return Targets(
        engine.database,
        engine.plans,
        shared.checker(engine.registry),
        connection_string(engine.settings.database_app_role_url, "structforge-notifications"),
    )


def build_runs(engine: WebEngine, targets: Targets) -> RunService:
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
    tokens = AccessTokens(shared.settings_keyring(settings), ttl_s=settings.access_token_ttl_s)
    return IdentityService(database, redis, Passwords(), tokens, refresh_ttl_s=settings.refresh_token_ttl_s)


def build_api(engine: WebEngine, runs: RunService, targets: Targets) -> ApiServices:
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
    keyring = shared.settings_keyring(settings)
    replays = ReplayService(database, engine.journal, targets, engine.bell.ring)
    memory = DraftMemory(database, runs, shapes_of(engine.registry))
    engine.closing.push_async_callback(memory.close)
    files = FileService(database, store, settings.files_dir, max_bytes=settings.file_max_bytes)
    previews = FilePreviews(files)
    identity = build_identity(settings, database, redis)
    return ApiServices(
        identity=identity,
        members=MemberService(database, identity),
        workflows=WorkflowService(database, shapes_of(engine.registry), previews),
        runs=runs,
        connections=ConnectionService(database, engine.databases, Cipher(keyring, CONNECTION_SECRET)),
        triggers=TriggerService(database, redis, targets, Cipher(keyring, TRIGGER_SECRET)),
        comparisons=ComparisonService(runs),
        replays=replays,
        bulk=BulkService(database, runs, replays),
        limits=LimitService(database),
        answers=AnswerService(database, engine.bell.ring, engine.publisher, engine.environment.resume_url),
        resumes=ResumeService(
            database,
            targets,
            shared.resume_tokens(settings),
            Cipher(keyring, TRIGGER_SECRET),
            engine.publisher,
            engine.bell.ring,
        ),
        nodes=NodeTypeService(engine.registry),
        files=files,
        file_previews=previews,
        artifact_views=ArtifactViews(files),
        draft_memory=memory,
        draft_runs=DraftRunService(database, engine.journal, targets, memory, engine.bell.ring),
        probes={"database": ask_database, "redis": ask_redis},
        public_url=settings.web_url,
        access_ttl_s=settings.access_token_ttl_s,
        body_max_bytes=settings.request_body_max_bytes,
        file_max_bytes=settings.file_max_bytes,
        sync_limit_s=settings.sync_run_limit_s,
    )
