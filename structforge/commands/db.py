"""`structforge db`: migrations by hand. Entry point.

Invariant: downgrading, which drops data, asks first.
"""

import asyncio
from typing import Annotated

import typer

from structforge.commands.output import JsonOption, console, print_json
from structforge.config import Settings, load_settings
from structforge.storage import migrate
from structforge.storage.roles import Roles

app = typer.Typer(no_args_is_help=True)


@app.command()
def upgrade(revision: Annotated[str, typer.Argument(help="Revision to go to.")] = "head") -> None:
    """Bring the database to a revision (the newest one)."""
    settings = load_settings()
    asyncio.run(migrate.upgrade(settings.database_owner_url, _roles(settings), revision))
    console().print(f"The database is at {asyncio.run(migrate.current(settings.database_owner_url))}.")


@app.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help="Revision to go back to, `base` for none.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take the database back to a revision; the data of dropped tables is gone."""
    settings = load_settings()
    if not yes:
        typer.confirm(f"Tables that {revision} does not have are dropped with their data. Go on?", abort=True)
    asyncio.run(migrate.downgrade(settings.database_owner_url, revision, _roles(settings)))
    console().print(
        f"The database is at {asyncio.run(migrate.current(settings.database_owner_url)) or 'base'}."
    )


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Show the database's revision and the migrations that are pending (exit code 1 when there are some)."""
    settings = load_settings()
    at = asyncio.run(migrate.current(settings.database_owner_url))
    pending = asyncio.run(migrate.pending(settings.database_owner_url))
    if as_json:
        print_json({"current": at, "pending": pending})
    else:
        console().print(f"At {at or 'base'}; pending: {', '.join(pending) or 'none'}.")
    if pending:
        raise typer.Exit(1)


def _roles(settings: Settings) -> Roles:
    return Roles.of_urls(settings.database_app_role_url, settings.database_engine_role_url)
