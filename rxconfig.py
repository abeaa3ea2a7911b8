"""Reflex's configuration; everything else is configured by `structforge.config` and `structforge.ui.launch`."""

import reflex as rx

config = rx.Config(
    app_name="structforge",
    app_module_import="structforge.ui.app",
    # Baked into the bundle and overridden at run time relative to the page's own origin (ui/edge.py).
    api_url="http://localhost:8000",
    # Same origin only: no other site may read answers with the visitor's cookies or open the websocket.
    cors_allowed_origins=["http://localhost:8000"],
    telemetry_enabled=False,
    show_built_with_reflex=False,
    default_color_mode="system",
    frontend_compression_formats=["gzip"],
    state_manager_mode="memory",
    disable_plugins=[rx.plugins.SitemapPlugin],
    plugins=[],
)
