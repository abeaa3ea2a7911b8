"""Changing the master key: every stored secret is sealed anew with the active key.

Invariant: a secret is readable at every moment: until the commit with the old key, from then on with the new one.
Run by `structforge keys rotate`, as the owner of the database: it belongs to no organization.
"""

from uuid import UUID

from sqlalchemy import text

from structforge.security.cipher import CONNECTION_SECRET, FORMAT, TRIGGER_SECRET, Cipher
from structforge.security.keyring import Keyring
from structforge.storage.database import Database

SEALED = {"triggers": TRIGGER_SECRET, "connections": CONNECTION_SECRET}
"""Tables with a column `secret`, sealed for `<organization>/<id>`, and the use it is sealed for."""


async def reseal(database: Database, keyring: Keyring) -> dict[str, int]:
    """Seal what an older key sealed; return how many secrets of each table that were.

    Raises: UnavailableError `secret.unreadable` when one cannot be opened; nothing is changed then.
    """
    done = {}
    async with database.owner_transaction() as session:
        for table, use in SEALED.items():
            cipher = Cipher(keyring, use)
            found = await session.execute(
                text(
                    f"SELECT id, organization_id, secret FROM {table}"
                    " WHERE secret IS NOT NULL AND NOT starts_with(secret, :active) ORDER BY id FOR UPDATE"
                ),
                {"active": f"{FORMAT}:{keyring.active_id}:"},
            )
            rows: list[tuple[UUID, UUID, str]] = [(row[0], row[1], row[2]) for row in found]
            for row_id, organization_id, sealed in rows:
                context = f"{organization_id}/{row_id}"
                again = cipher.seal(cipher.open(sealed, context), context)
                await session.execute(
                    text(f"UPDATE {table} SET secret = :secret WHERE id = :id"),
                    {"secret": again, "id": row_id},
                )
            done[table] = len(rows)
    return done
