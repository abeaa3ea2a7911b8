"""`structforge keys`: secret keys of an installation. Entry point.

Invariant: a key is printed, never stored, by `generate`; `rotate` prints none.
"""

import asyncio
import sys

import typer

from structforge.commands.output import JsonOption, console, print_json
from structforge.config import Settings, load_settings
from structforge.security.keyring import generate_key, load_keyring
from structforge.services.rotation import reseal
from structforge.storage.database import Database

app = typer.Typer(no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Make secret keys, and change to a new one."""


@app.command()
def generate() -> None:
    """Print a new key for STRUCTFORGE_SECRET_KEY; the first one in that list is the active one."""
    sys.stdout.write(f"{generate_key()}\n")


@app.command()
def rotate(as_json: JsonOption = False) -> None:
    """Seal every stored secret with the active key; after that older keys are needed for nothing stored."""
    settings = load_settings()
    done = asyncio.run(_rotate(settings))
    if as_json:
        print_json(done)
    else:
        console().print(f"Sealed anew: {', '.join(f'{count} of {table}' for table, count in done.items())}.")


async def _rotate(settings: Settings) -> dict[str, int]:
    secret = None if settings.secret_key is None else settings.secret_key.get_secret_value()
    keyring = load_keyring(secret, settings.home)
    database = Database(
        settings.database_app_role_url, settings.database_engine_role_url, settings.database_owner_url
    )
    try:
        return await reseal(database, keyring)
    finally:
        await database.close()
