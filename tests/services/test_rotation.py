"""A new master key: stored secrets are sealed with it, and the old one is needed no more."""

import pytest

from structforge.config import Settings
from structforge.domain.errors import UnavailableError
from structforge.runtime.postgres.opening import connection_context
from structforge.security.cipher import CONNECTION_SECRET, Cipher
from structforge.security.keyring import generate_key, parse_keyring
from structforge.services.rotation import reseal
from structforge.storage.database import Database
from structforge.storage.stored_connections import load_connection
from tests.support.installation import installed


async def test_stored_secrets_open_with_the_new_key_alone(settings: Settings) -> None:
    old, new = generate_key(), generate_key()
    keyed = settings.model_copy(update={"secret_key": _secret(old)})
    place = {"host": "db.example.org", "database": "sales", "user": "reader"}
    async with installed(keyed) as made:
        view = await made.services.connections.create(
            made.first, "warehouse", "postgresql", place, secret="hunter2-hunter2"
        )
        database = Database(
            settings.database_app_role_url, settings.database_engine_role_url, settings.database_owner_url
        )
        both, only_new = (parse_keyring(text, where="test") for text in (f"{new},{old}", new))
        try:
            with pytest.raises(UnavailableError):
                await reseal(database, only_new)
            assert await reseal(database, both) == {"triggers": 0, "connections": 1}
            assert await reseal(database, both) == {"triggers": 0, "connections": 0}
        finally:
            await database.close()
        async with made.engine.pool.connection() as connection:
            stored = await load_connection(connection, made.first.organization_id, "warehouse")
    assert stored is not None
    assert stored.secret is not None
    context = connection_context(made.first.organization_id, view.id)
    assert Cipher(only_new, CONNECTION_SECRET).open(stored.secret, context) == "hunter2-hunter2"


def _secret(text: str) -> object:
    return Settings(secret_key=text).secret_key
