"""The Reflex app: its pages and what belongs to all of them. Reflex finds it by name (rxconfig.py).

Invariant: importing builds pages only; services come in with `services.install` in the serving process.
"""

import logging

import reflex as rx
from reflex.event import EventSpec
from reflex_components_core.base.error_boundary import ErrorBoundary  # type: ignore[import-untyped]

from structforge.ui import routes
from structforge.ui.components.page import broken
from structforge.ui.exact import carry
from structforge.ui.locale import CATALOGUES
from structforge.ui.pages.compare import CompareState, compare_page
from structforge.ui.pages.connections import ConnectionsState, connections_page
from structforge.ui.pages.editor import EditorState
from structforge.ui.pages.editor_draft import DRAFT_FEED
from structforge.ui.pages.editor_versions import VersionsState
from structforge.ui.pages.editor_view import editor_page
from structforge.ui.pages.home import HomeState, home_page, not_found_page
from structforge.ui.pages.members import MembersState, members_page
from structforge.ui.pages.nodes import NodeDocState, NodesState, node_page, nodes_page
from structforge.ui.pages.profile import ProfileState, profile_page
from structforge.ui.pages.run import RunState
from structforge.ui.pages.run_controls import ControlState
from structforge.ui.pages.run_view import run_page
from structforge.ui.pages.runs import BulkState, RunsState
from structforge.ui.pages.runs_view import runs_page
from structforge.ui.pages.sign_in import SignInState, sign_in_page
from structforge.ui.pages.workflows import WorkflowsState
from structforge.ui.pages.workflows_view import workflows_page
from structforge.ui.run_feed import FEEDS
from structforge.ui.session import SessionState

logger = logging.getLogger(__name__)

BROKEN_WORDS = ("title", "hint", "reload", "home")


def handler_failed(exception: Exception) -> EventSpec:
    """Log what a handler raised, and tell the visitor without its text."""
    logger.error("a handler failed", exc_info=exception)
    told: EventSpec = SessionState.stumble()  # type: ignore[operator]
    return told


def _broken_page(stateful: bool) -> rx.Component:
    texts = {
        locale: {word: catalogue[f"error.page.{word}"] for word in BROKEN_WORDS}
        for locale, catalogue in CATALOGUES.items()
    }
    fallback = rx.Var.create(broken(texts=texts, home=routes.HOME))
    boundary: rx.Component = ErrorBoundary.create(
        fallback_render=fallback, **({} if stateful else {"on_error": rx.noop()})
    )
    return boundary


app = rx.App(
    backend_exception_handler=handler_failed,
    stylesheets=[
        "/structforge.css",
        "/editor.css",
        "/forms.css",
        "/library.css",
        "/runs.css",
        "/values.css",
        "/debug.css",
    ],
    html_lang="en",
    head_components=[rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml")],
    # Reflex's own overlay shows its toasts by evaluating text, which the pages' policy forbids: see page.jsx.
    toaster=None,
)
del app.app_wraps[5, "Overlay"]
app.app_wraps[55, "ErrorBoundary"] = _broken_page
carry(app)
for feed in (*FEEDS, DRAFT_FEED):
    feed.attach(app)
    app.register_lifespan_task(feed.following)

TITLE = "StructForge"
app.add_page(home_page, route=routes.HOME, title=TITLE, on_load=HomeState.enter)
app.add_page(not_found_page, route="/404", title=TITLE)
app.add_page(sign_in_page, route=routes.SIGN_IN, title=TITLE, on_load=SignInState.enter)
app.add_page(
    runs_page, route=routes.RUNS, title=TITLE, on_load=[SessionState.enter, BulkState.enter, RunsState.enter]
)
app.add_page(
    editor_page,
    route=routes.WORKFLOW,
    title=TITLE,
    on_load=[SessionState.enter, EditorState.enter, VersionsState.enter],
)
app.add_page(
    run_page,
    route=routes.RUN,
    title=TITLE,
    on_load=[SessionState.enter, ControlState.enter, RunState.enter, ControlState.open_asked],
)
app.add_page(
    compare_page, route=routes.RUN_COMPARISON, title=TITLE, on_load=[SessionState.enter, CompareState.enter]
)
app.add_page(
    workflows_page, route=routes.WORKFLOWS, title=TITLE, on_load=[SessionState.enter, WorkflowsState.enter]
)
app.add_page(
    profile_page, route=routes.PROFILE, title=TITLE, on_load=[SessionState.enter, ProfileState.enter]
)
app.add_page(
    members_page, route=routes.MEMBERS, title=TITLE, on_load=[SessionState.enter, MembersState.enter]
)
app.add_page(
    connections_page,
    route=routes.CONNECTIONS,
    title=TITLE,
    on_load=[SessionState.enter, ConnectionsState.enter],
)
app.add_page(nodes_page, route=routes.NODES, title=TITLE, on_load=[SessionState.enter, NodesState.enter])
app.add_page(node_page, route=routes.NODE, title=TITLE, on_load=[SessionState.enter, NodeDocState.enter])
