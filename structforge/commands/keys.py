"""`structforge keys`: secret keys of an installation. Entry point.

Invariant: a key is printed, never stored, by `generate`.
"""

import sys

import typer

from structforge.security.keyring import generate_key

app = typer.Typer(no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Make secret keys."""


@app.command()
def generate() -> None:
    """Print a new key for STRUCTFORGE_SECRET_KEY; the first one in that list is the active one."""
    sys.stdout.write(f"{generate_key()}\n")
