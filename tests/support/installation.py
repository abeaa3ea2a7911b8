"""A web process's services against real servers, with two organizations in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx

from structforge.api.app import Gateway, create_app
from structforge.api.services import ApiServices
from structforge.config import Settings
from structforge.domain.access import Principal, Role, permissions_of
from structforge.runtime.events import connect_async
from structforge.security.passwords import Passwords
from structforge.services.identity import Client, IdentityService
from structforge.storage.database import Database
from structforge.wiring import web as wiring
from structforge.wiring.worker import build_worker

PASSWORD = "correct horse battery"
FIRST, SECOND = "first@example.org", "second@example.org"
ORIGIN = "http://test.example"


@dataclass
class Installation:
    """Services, the gateway, and the owners of two organizations."""

    settings: Settings
    services: ApiServices
    engine: wiring.WebEngine
    gateway: Gateway
    first: Principal
    second: Principal

    def http(self, token: str = "") -> httpx.AsyncClient:
        """Return a client of the gateway, signed in as the bearer of `token`."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self.gateway, client=("192.0.2.7", 5000))
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)

    async def token(self, email: str = FIRST) -> str:
        """Sign in and return the access token."""
        return (await self.services.identity.sign_in(email, PASSWORD, Client())).access_token

    async def member(self, role: Role) -> tuple[UUID, str]:
        """Add a person with a role to the first organization; return the id and an access token."""
        email = f"{role.value}@example.org"
        user_id, _ = await self.services.members.add(self.first, email, role=role.value, password=PASSWORD)
        return user_id, await self.token(email)


@asynccontextmanager
async def installed(settings: Settings) -> AsyncIterator[Installation]:
    """Open an installation on a migrated, empty database."""
    async with AsyncExitStack() as stack:
        engine = wiring.build_engine(settings)
        await engine.open()
        stack.push_async_callback(engine.close)
        targets = wiring.build_targets(engine)
        await targets.open()
        stack.push_async_callback(targets.close)
        services = wiring.build_api(engine, wiring.build_runs(engine, targets), targets)
        # The real cost would be most of the time of these tests; tests/security has it.
        cheap_passwords(services.identity)
        owner = Database(
            settings.database_app_role_url, settings.database_engine_role_url, settings.database_owner_url
        )
        stack.push_async_callback(owner.close)
        redis = connect_async(settings.redis_server_url)
        stack.push_async_callback(redis.aclose)
        setup = wiring.build_identity(settings, owner, redis)
        cheap_passwords(setup)
        await setup.bootstrap(FIRST, PASSWORD, organization="First")
        second = await services.identity.create_organization("Second", "second", SECOND, PASSWORD)
        me = await services.identity.principal(
            (await services.identity.sign_in(FIRST, PASSWORD, Client())).access_token
        )
        assert me.permissions == permissions_of(frozenset({Role.OWNER.value}))
        yield Installation(settings, services, engine, create_app(services), me, second)


@asynccontextmanager
async def a_worker(made: Installation) -> AsyncIterator[None]:
    """Let a worker loop run in this process for as long as the block runs."""
    worker = build_worker(made.engine)
    working = asyncio.create_task(worker.run())

    async def ring() -> None:
        # No RQ worker passes the bell on here, and the loop's own look at the table comes every two seconds.
        while True:
            worker.wake()
            await asyncio.sleep(0.05)

    ringing = asyncio.create_task(ring())
    try:
        yield
    finally:
        ringing.cancel()
        worker.drain()
        await working


def cheap_passwords(identity: IdentityService) -> None:
    """Let an identity service hash with the least cost."""
    identity._passwords.close()
    identity._passwords = Passwords(memory_kib=64, passes=1)
