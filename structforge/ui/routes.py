"""The paths of the web app, each one a constant.

Invariant: no other module writes a path as text. Dynamic parts have distinct names: Reflex makes root vars of
them.
"""

from urllib.parse import quote, urlsplit

HOME = "/"
SIGN_IN = "/sign-in"
RUNS = "/runs"
RUN = "/runs/[run_id]"
RUN_COMPARISON = "/runs/[run_id]/compare/[other_run_id]"
WORKFLOWS = "/workflows"
WORKFLOW = "/workflows/[workflow_id]"
MEMBERS = "/members"
CONNECTIONS = "/connections"
PROFILE = "/profile"
NODES = "/nodes"
NODE = "/nodes/[node_type]"

OPEN = "open"
"""Of an address: the dialog that the page opens with."""
VERSION = "version"
"""Of the address of a workflow: the version that is compared with the draft."""

API_SIGN_IN = "/api/v1/auth/form/sign-in"
API_SIGN_OUT = "/api/v1/auth/form/sign-out"
API_SWITCH = "/api/v1/auth/form/switch"
API_REFRESH = "/api/v1/auth/form/continue"
API_RUNS = "/api/v1/runs"
API_WORKFLOWS = "/api/v1/workflows"
API_IMPORT = "/api/v1/workflows/import"


def run(run_id: str) -> str:
    """Return the page of one run."""
    return f"/runs/{quote(run_id, safe='')}"


def comparison(run_id: str, other_run_id: str) -> str:
    """Return the page that shows where two runs differ."""
    return f"{run(run_id)}/compare/{quote(other_run_id, safe='')}"


def workflow(workflow_id: str) -> str:
    """Return the editor of one workflow."""
    return f"{WORKFLOWS}/{quote(workflow_id, safe='')}"


def open_form(name: str) -> str:
    """Return the list of workflows with one of its dialogs open."""
    return f"{WORKFLOWS}?{OPEN}={quote(name, safe='')}"


def node(node_type: str) -> str:
    """Return the documentation of one node type."""
    return f"{NODES}/{quote(node_type, safe='')}"


def local_path(path: str) -> str:
    """Return `path` when it is one of this app, else the home page: a sign-in must not lead elsewhere."""
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or not path.startswith("/") or path.startswith(("//", "/\\")):
        return HOME
    return path
