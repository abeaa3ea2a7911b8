"""`structforge build`: build the web app ahead of time, as an image or a package does. Entry point.

Invariant: a bundle of the present sources is left as it is.
"""

import typer

from structforge.commands.output import console
from structforge.config import load_settings
from structforge.embedded.startup import prepare_home
from structforge.ui.bundle import build_bundle

app = typer.Typer()


@app.command()
def build() -> None:
    """Build the web app's browser bundle, unless the present sources' one is there."""
    settings = load_settings()
    prepare_home(settings)
    console().print(f"The web app is in {build_bundle(settings, lambda line: console().print(line))}.")
