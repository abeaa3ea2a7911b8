"""The frame of every page behind the sign-in: navigation, who is signed in, theme and language, toasts.

Invariant: a page shows nothing of the organization before the session is checked (`SessionState.signed_in`).
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors  # type: ignore[import-untyped]

from structforge.ui import routes
from structforge.ui.commands import palette, palette_button
from structforge.ui.components.keyboard import regions, skip_link
from structforge.ui.components.page import native_form, page_bridge
from structforge.ui.components.part import part_of_page
from structforge.ui.locale import LOCALES, LocaleState, labels, language_tag, t
from structforge.ui.organizations import organization_dialog, organization_menu
from structforge.ui.session import SessionState

# Well under the shortest access token, so that an open page keeps its session.
REFRESH_S = 240

NAVIGATION: tuple[tuple[str, str, str], ...] = (
    ("nav.workflows", routes.WORKFLOWS, "workflow"),
    ("nav.runs", routes.RUNS, "activity"),
    ("nav.connections", routes.CONNECTIONS, "plug"),
    ("nav.nodes", routes.NODES, "file-text"),
)


def brand_mark() -> rx.Component:
    """The mark: three joined nodes."""
    return rx.el.svg(
        rx.el.path(
            d="M8 8.5 16 6M8 10.5l8 6", stroke="currentColor", stroke_width="2", stroke_linecap="round"
        ),
        rx.el.circle(cx="6", cy="9.5", r="3.5", fill="currentColor"),
        rx.el.circle(cx="18", cy="5.5", r="3", fill="currentColor", opacity="0.65"),
        rx.el.circle(cx="18", cy="18", r="3", fill="currentColor", opacity="0.65"),
        view_box="0 0 24 24",
        fill="none",
        class_name="brand-mark",
        custom_attrs={"aria-hidden": "true"},
    )


def theme_button() -> rx.Component:
    """Switch between light and dark."""
    return rx.el.button(
        rx.color_mode_cond(rx.icon("moon", size=16), rx.icon("sun", size=16)),
        type="button",
        class_name="btn ghost icon",
        aria_label=t("app.theme"),
        title=t("app.theme"),
        on_click=rx.toggle_color_mode,
    )


def language_picker() -> rx.Component:
    """Choose the interface's language."""
    return rx.el.select(
        *(rx.el.option(name, value=locale, lang=locale) for locale, name in LOCALES.items()),
        value=LocaleState.locale,
        on_change=LocaleState.choose,
        class_name="input",
        aria_label=t("app.language"),
        style={"width": "auto", "min_height": "34px"},
    )


def bridge(refresh: bool) -> rx.Component:
    """Toasts, document language, connection strip."""
    return page_bridge(
        toast=SessionState.toast,
        language=language_tag(),
        offline=has_connection_errors,
        offline_text=t("app.offline"),
        close_text=t("app.close"),
        refresh_url=routes.API_REFRESH,
        refresh_seconds=REFRESH_S if refresh else 0,
        lost=SessionState.lost,
        shown=SessionState.signed_in,
        sign_in_url=routes.SIGN_IN,
        ended_text=t("app.session_ended"),
        sign_in_text=t("sign_in.submit"),
    )


def _nav_link(key: str, path: str, icon: str) -> rx.Component:
    here = rx.State.router.url.path.startswith(path)
    return rx.el.a(
        rx.icon(icon, size=17),
        t(key),
        href=path,
        class_name=rx.cond(here, "nav-link active", "nav-link"),
        aria_current=rx.cond(here, "page", "false"),
    )


def _sidebar() -> rx.Component:
    return rx.el.aside(
        rx.el.a(brand_mark(), t("app.name"), href=routes.HOME, class_name="brand"),
        organization_menu(),
        palette_button(),
        rx.el.nav(
            *(_nav_link(*entry) for entry in NAVIGATION), class_name="nav", aria_label=t("app.navigation")
        ),
        rx.el.div(
            rx.el.a(
                rx.icon("circle-user", size=20),
                rx.el.span(
                    rx.el.strong(SessionState.name), rx.el.span(SessionState.email), class_name="who-words"
                ),
                href=routes.PROFILE,
                class_name="who",
                aria_label=t("nav.profile"),
                title=t("nav.profile"),
            ),
            rx.el.div(
                language_picker(),
                theme_button(),
                native_form(
                    rx.el.button(
                        rx.icon("log-out", size=16),
                        type="submit",
                        class_name="btn ghost icon",
                        aria_label=t("app.sign_out"),
                        title=t("app.sign_out"),
                    ),
                    action=routes.API_SIGN_OUT,
                    method="post",
                ),
                class_name="foot-row",
            ),
            class_name="sidebar-foot",
        ),
        class_name="sidebar",
        data_region="navigation",
    )


def shell(*content: rx.Component) -> rx.Component:
    """Frame a page's content."""
    return rx.fragment(
        bridge(refresh=True),
        palette(),
        regions(),
        organization_dialog(),
        skip_link(t("app.skip"), to="content", class_name="skip-link"),
        rx.cond(
            SessionState.signed_in,
            rx.el.div(
                _sidebar(),
                rx.el.main(
                    rx.el.div(*content, class_name="page"),
                    id="content",
                    class_name="main",
                    tab_index=-1,
                    data_region="content",
                ),
                class_name="shell",
            ),
            rx.el.div(class_name="shell", aria_busy="true"),
        ),
    )


def bare_shell(*content: rx.Component) -> rx.Component:
    """Give a page the whole window, which brings its own bar."""
    return rx.fragment(
        bridge(refresh=True),
        palette(),
        regions(),
        rx.cond(
            SessionState.signed_in,
            rx.el.main(*content, id="content", class_name="bare", tab_index=-1),
            rx.el.main(class_name="bare", aria_busy="true"),
        ),
    )


def part(name: str, *content: rx.Component, subject: object = "") -> rx.Component:
    """Return content that breaks alone; it is tried anew when asked for, and when `subject` is another one."""
    shown: rx.Component = part_of_page(*content, name=name, texts=labels("part"), subject=subject)
    return shown


def page_head(
    title: rx.Var[str] | str, lead: rx.Component | rx.Var[str] | str = "", *actions: rx.Component
) -> rx.Component:
    """The head of a page: title, one line, actions."""
    return rx.el.header(
        rx.el.div(rx.el.h1(title), rx.el.p(lead), class_name="titles"),
        rx.el.div(*actions, class_name="row"),
        class_name="page-head",
    )


def empty(icon: str, title: rx.Var[str], hint: rx.Var[str], *actions: rx.Component) -> rx.Component:
    """What a list shows when it has nothing."""
    return rx.el.div(rx.icon(icon, size=28), rx.el.h2(title), rx.el.p(hint), *actions, class_name="empty")


def notice(title: rx.Var[str], *content: rx.Component) -> rx.Component:
    """Say that something failed, and what to do."""
    return rx.el.div(
        rx.icon("triangle-alert", size=18),
        rx.el.div(rx.el.h3(title), *content),
        class_name="notice",
        role="alert",
    )


def skeleton(lines: int = 6) -> rx.Component:
    """What stands where content is being loaded."""
    return rx.el.div(
        *(rx.el.div(class_name="skeleton line") for _ in range(lines)),
        aria_busy="true",
        aria_label=t("app.loading"),
    )
