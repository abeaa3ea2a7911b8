"""Which media types are JSON, and which are text; all others are bytes of a file."""

_JSON = frozenset({"application/json", "text/json", "application/x-json"})
_TEXTUAL = frozenset(
    {
        "application/graphql",
        "application/javascript",
        "application/jsonl",
        "application/sql",
        "application/toml",
        "application/x-javascript",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)
_MARKUP = frozenset({"text/html", "text/xml", "application/xml", "application/xhtml+xml"})


def is_json(media_type: str) -> bool:
    """Tell whether the content is one JSON value."""
    return media_type in _JSON or media_type.endswith("+json")


def is_text(media_type: str) -> bool:
    """Tell whether people read the content as text."""
    return media_type.startswith("text/") or media_type in _TEXTUAL or media_type.endswith("+xml")


def is_markup(media_type: str) -> bool:
    """Tell whether the content may declare its encoding itself, as HTML and XML do."""
    return media_type in _MARKUP or media_type.endswith("+xml")
