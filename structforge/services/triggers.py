"""Webhooks: the addresses of triggers, their secrets, and what a request at an address starts.

Invariant: a trigger that requires a signature accepts nothing without a stored secret; a signed request starts
one run at most. What is known of an address is used only while publications are told (see `targets.py`).
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import Permission, Principal, Via, authorize
from structforge.domain.errors import (
    ConflictError,
    NotFoundError,
    Problem,
    UnauthenticatedError,
    UnavailableError,
    sentence,
)
from structforge.domain.validation import parse_document
from structforge.domain.workflow import WorkflowDocument
from structforge.sdk.webhooks import ResumeRules, WebhookParameters
from structforge.security.cipher import Cipher
from structforge.services.absent import workflow_not_found
from structforge.services.audit import audit
from structforge.services.targets import CHANNEL, Target, Targets
from structforge.storage.database import Database
from structforge.storage.repositories.triggers import FoundHook, Triggers
from structforge.storage.repositories.workflows import Workflows

WEBHOOK, WAIT = "trigger.webhook", "flow.wait_webhook"
SIGNATURE_VERSION = "v1"
LISTEN_S = 300
"""A person who tests a draft listens for so long, then asks again."""
MAX_ENTRIES = 10_000
PATH_MAX_CHARACTERS = 700

_HOOK_PERMISSIONS = frozenset({Permission.RUN_START, Permission.RUN_READ})
_ANNOUNCE = text("SELECT pg_notify(:channel, :workflow)")


@dataclass(frozen=True, slots=True)
class Hook:
    """What answers at an address: whose it is, what it starts, and what it asks of requests."""

    trigger_id: UUID
    workflow_id: UUID
    node_id: str
    principal: Principal
    target: Target
    parameters: WebhookParameters
    secret: bytes | None
    draft: bool = False


@dataclass(frozen=True, slots=True)
class TriggerAddress:
    """A trigger as its owner sees it; the secret is never shown again."""

    node_id: str
    path: str
    """`/hooks/…`, of the published version."""
    test_path: str
    """`/hooks/test/…`, of the draft while somebody listens."""
    enabled: bool
    has_secret: bool


class TriggerService:
    """Triggers of all organizations."""

    def __init__(self, database: Database, redis: Redis, targets: Targets, cipher: Cipher) -> None:
        self._database = database
        self._redis = redis
        self._targets = targets
        self._cipher = cipher
        self._hooks: dict[str, Hook] = {}
        self._seen_changes = 0

    def peek(self, path: str) -> Hook | None:
        """Return the hook at a path if it is known and still certain."""
        if self._seen_changes != self._targets.changes:
            self._hooks.clear()
            self._seen_changes = self._targets.changes
        return self._hooks.get(path) if self._targets.certain else None

    async def hook(self, path: str) -> Hook:
        """Return what the published version does at `/hooks/<path>`. Raises: NotFoundError."""
        known = self.peek(path)
        if known is not None:
            return known
        changes = self._targets.changes
        found = await self._find(path)
        if not found.enabled:
            raise _unknown()
        try:
            target = await self._targets.published(found.organization_id, found.workflow_id)
        except (ConflictError, NotFoundError) as error:
            raise _unknown() from error
        principal = Principal(None, found.organization_id, _HOOK_PERMISSIONS, Via.WEBHOOK)
        hook = self._made(found, target, principal)
        if self._targets.certain and changes == self._targets.changes:
            if len(self._hooks) >= MAX_ENTRIES:
                self._hooks.clear()
            self._hooks[path] = hook
        return hook

    async def test_hook(self, path: str) -> Hook:
        """Return what the draft does, while somebody listens. Raises: NotFoundError, InvalidError."""
        found = await self._find(path)
        try:
            listener = await self._redis.get(_listening(found.id))
        except RedisError as error:
            raise _no_redis() from error
        if listener is None:
            raise NotFoundError(
                Problem(
                    "hook.nobody_listens",
                    "Nobody listens at this test address now.",
                    hint="Listen first: POST /api/v1/workflows/{id}/hooks/{node}/listen.",
                )
            )
        user_id = UUID(listener.decode() if isinstance(listener, bytes) else listener)
        allowed = _HOOK_PERMISSIONS | {Permission.WORKFLOW_EDIT}
        principal = Principal(user_id, found.organization_id, allowed, Via.WEBHOOK)
        target = await self._targets.draft(found.organization_id, found.workflow_id, user_id)
        return self._made(found, target, principal, draft=True)

    async def first_use(self, hook: Hook, signature: str, key: str) -> None:
        """Refuse a signature that came before with another idempotency key: the key itself is not signed.

        Raises: UnauthenticatedError; UnavailableError when Redis cannot tell.
        """
        name = f"structforge:hook-signature:{hook.trigger_id}:{signature}"
        keep_s = 2 * hook.parameters.tolerance_s + 1
        hashed = hashlib.sha256(key.encode()).hexdigest()
        try:
            if await self._redis.set(name, hashed, nx=True, ex=keep_s):
                return
            before = await self._redis.get(name)
        except RedisError as error:
            raise _no_redis() from error
        if (before.decode() if isinstance(before, bytes) else before) != hashed:
            raise _refused("This signature was used before.", "Sign each request with the time of now.")

    async def list(self, principal: Principal, workflow_id: UUID) -> list[TriggerAddress]:
        """List the addresses of a workflow's triggers. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_READ)
        async with self._database.transaction(principal.organization_id) as session:
            await _draft(session, principal, workflow_id)
            rows = await Triggers(session).of_workflow(principal.organization_id, workflow_id)
        return [
            TriggerAddress(
                row.node_id,
                f"/hooks/{row.path}",
                f"/hooks/test/{row.path}",
                row.enabled,
                row.secret is not None,
            )
            for row in rows
            if row.kind == WEBHOOK
        ]

    async def listen(self, principal: Principal, workflow_id: UUID, node_id: str) -> int:
        """Let the draft answer at the test address; return for how many seconds.

        Raises: NotFoundError (no such workflow or webhook in its draft), ConflictError (the path is taken).
        """
        authorize(principal, Permission.WORKFLOW_EDIT)
        authorize(principal, Permission.RUN_START)
        async with self._database.transaction(principal.organization_id) as session:
            trigger_id = await self._ensured(session, principal, workflow_id, node_id)
        try:
            await self._redis.set(_listening(trigger_id), str(principal.user_id), ex=LISTEN_S)
        except RedisError as error:
            raise _no_redis() from error
        return LISTEN_S

    async def new_secret(self, principal: Principal, workflow_id: UUID, node_id: str) -> str:
        """Make the trigger's secret anew and return it, the only time it is shown; the old one ends at once.

        Raises: NotFoundError, ConflictError as `listen`.
        """
        authorize(principal, Permission.WORKFLOW_PUBLISH)
        secret = f"whsec_{secrets.token_urlsafe(32)}"
        async with self._database.transaction(principal.organization_id) as session:
            trigger_id = await self._ensured(session, principal, workflow_id, node_id)
            sealed = self._cipher.seal(secret, secret_context(principal.organization_id, trigger_id))
            await Triggers(session).change(principal.organization_id, trigger_id, secret=sealed)
            await audit(session, principal, "trigger.secret", "workflow", workflow_id, node=node_id)
            await session.execute(_ANNOUNCE, {"channel": CHANNEL, "workflow": str(workflow_id)})
        self._targets.forget(workflow_id)
        return secret

    async def _ensured(
        self, session: AsyncSession, principal: Principal, workflow_id: UUID, node_id: str
    ) -> UUID:
        draft = await _draft(session, principal, workflow_id)
        parameters = webhooks_of(draft).get(node_id)
        kind = next((node.type for node in draft.nodes if node.id == node_id), "")
        if kind not in (WEBHOOK, WAIT):
            raise NotFoundError(
                Problem(
                    "trigger.not_found",
                    sentence("The draft has no webhook {node_id}.", node_id=repr(node_id[:80])),
                    "node_id",
                )
            )
        triggers = Triggers(session)
        rows = await triggers.of_workflow(principal.organization_id, workflow_id)
        known = next((row for row in rows if row.node_id == node_id), None)
        if known is not None:
            return known.id
        path = secrets.token_urlsafe(24)
        if parameters is not None:
            path = await _path(triggers, principal.organization_id, parameters)
        await _add(triggers, principal.organization_id, workflow_id, node_id, path, kind)
        rows = await triggers.of_workflow(principal.organization_id, workflow_id)
        return next(row.id for row in rows if row.node_id == node_id)

    async def _find(self, path: str) -> FoundHook:
        if not path or len(path) > PATH_MAX_CHARACTERS or "\0" in path:
            raise _unknown()
        async with self._database.global_transaction() as session:
            found = await Triggers(session).by_path(path)
        if found is None:
            raise _unknown()
        return found

    def _made(self, found: FoundHook, target: Target, principal: Principal, *, draft: bool = False) -> Hook:
        parameters = webhooks_of(target.plan.document).get(found.node_id)
        if parameters is None:
            raise _unknown()
        secret = None
        if found.secret is not None:
            opened = self._cipher.open(found.secret, secret_context(found.organization_id, found.id))
            secret = opened.encode()
        return Hook(found.id, found.workflow_id, found.node_id, principal, target, parameters, secret, draft)


def webhooks_of(document: WorkflowDocument) -> dict[str, WebhookParameters]:
    """Return the webhook triggers of a valid document by node."""
    return {
        node.id: WebhookParameters.model_validate(node.parameters)
        for node in document.nodes
        if node.type == WEBHOOK
    }


async def derive_triggers(
    session: AsyncSession, organization_id: UUID, workflow_id: UUID, document: WorkflowDocument
) -> None:
    """Make the triggers those of the version being published.

    A node that stays, or takes the place of the only one that went, keeps address and secret.
    Raises: ConflictError `trigger.path_taken`.
    """
    wanted = webhooks_of(document)
    triggers = Triggers(session)
    known = {row.node_id: row for row in await triggers.of_workflow(organization_id, workflow_id)}
    gone = [row for node_id, row in known.items() if node_id not in wanted and row.enabled]
    new = [node_id for node_id in wanted if node_id not in known]
    if len(gone) == len(new) == 1:
        # One in the place of one: a node that was renamed keeps address and secret, its callers notice nothing.
        await triggers.change(organization_id, gone[0].id, node_id=new[0])
        known[new[0]] = gone.pop()
    for row in gone:
        await triggers.change(organization_id, row.id, enabled=False)
    for node_id, parameters in wanted.items():
        own = await _path(triggers, organization_id, parameters) if parameters.path else None
        before = known.get(node_id)
        if before is None:
            await _add(triggers, organization_id, workflow_id, node_id, own or secrets.token_urlsafe(24))
        elif before.path != own and (own is not None or before.path.startswith("o/")):
            # The unique index has the last word: the row with the new path replaces the old one.
            path = own or secrets.token_urlsafe(24)
            found = await triggers.by_path(path)
            if found is not None:
                raise _taken(path)
            await triggers.change(organization_id, before.id, path=path)
    for row in await triggers.of_workflow(organization_id, workflow_id):
        if row.node_id in wanted and not row.enabled:
            await triggers.change(organization_id, row.id, enabled=True)


def check_signature(
    rules: WebhookParameters | ResumeRules,
    secret: bytes | None,
    timestamp: str | None,
    signature: str | None,
    body: bytes,
    now_s: float | None = None,
) -> None:
    """Let a request pass that was signed with the secret at a time near now.

    `signature` is `v1=<hex>`: HMAC-SHA256 over the timestamp (Unix seconds), a dot and the raw body.
    Raises: UnauthenticatedError with one code for every reason but a missing header.
    """
    if not timestamp or not signature:
        raise _refused(
            "The request is not signed.", "Send X-StructForge-Timestamp and X-StructForge-Signature."
        )
    if secret is None:
        raise _refused("This webhook has no secret yet, so it accepts no request.", "Make its secret first.")
    expected = sign(secret, timestamp, body)
    matches = hmac.compare_digest(expected.encode(), signature.encode())
    near = (
        timestamp.isascii()
        and timestamp.isdecimal()
        and len(timestamp) <= 12
        and abs((time.time() if now_s is None else now_s) - int(timestamp)) <= rules.tolerance_s
    )
    if not matches:
        raise _refused("The signature does not match.", "Sign timestamp, a dot and the raw body.")
    if not near:
        raise _refused("The signed time is too far from now.", "Sign each request with the time of now.")


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature header of a request."""
    digest = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"{SIGNATURE_VERSION}={digest}"


def passed_headers(rules: WebhookParameters | ResumeRules, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers the run sees: those on the list, never credentials."""
    names = {"content-type", "user-agent", *(name.lower() for name in rules.headers)} - SECRET_HEADERS
    return {name: headers[name] for name in sorted(names) if name in headers}


SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-structforge-signature", "x-api-key"}
)


async def _path(triggers: Triggers, organization_id: UUID, parameters: WebhookParameters) -> str:
    if not parameters.path:
        return secrets.token_urlsafe(24)
    return f"o/{await triggers.slug(organization_id)}/{parameters.path}"


async def _add(
    triggers: Triggers, organization_id: UUID, workflow_id: UUID, node_id: str, path: str, kind: str = WEBHOOK
) -> None:
    if not await triggers.add(organization_id, workflow_id, node_id, kind, path):
        raise _taken(path)


async def _draft(session: AsyncSession, principal: Principal, workflow_id: UUID) -> WorkflowDocument:
    row = await Workflows(session).get(principal.organization_id, workflow_id)
    if row is None:
        raise workflow_not_found(workflow_id)
    return parse_document(row.draft)


def secret_context(organization_id: UUID, trigger_id: UUID) -> str:
    return f"{organization_id}/{trigger_id}"


def _listening(trigger_id: UUID) -> str:
    return f"structforge:hook-test:{trigger_id}"


def _unknown() -> NotFoundError:
    return NotFoundError(
        Problem("hook.not_found", "There is no webhook at this address.", hint="Is its workflow published?")
    )


def _taken(path: str) -> ConflictError:
    said = sentence("Another webhook has the path {path}.", path=repr(path))
    return ConflictError(Problem("trigger.path_taken", said, "path", "Choose another path."))


def _refused(message: str, hint: str) -> UnauthenticatedError:
    return UnauthenticatedError(Problem("hook.signature", message, "X-StructForge-Signature", hint))


def _no_redis() -> UnavailableError:
    return UnavailableError(Problem("redis.unreachable", "Redis does not answer.", hint="Try again."))
