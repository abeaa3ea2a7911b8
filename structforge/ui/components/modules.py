"""Where the pages find the local JSX modules: `ui/bundle.py` puts them there when it builds.

Invariant: importing a component touches no file (`rx.asset` would link into the working directory).
"""

FOLDER = "jsx"


def jsx_module(name: str) -> str:
    """Return how a page imports the JSX module `name` of this folder."""
    return f"$/public/{FOLDER}/{name}"
