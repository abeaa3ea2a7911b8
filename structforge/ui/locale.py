"""The interface's languages: message catalogues and the visitor's choice.

Invariant: every text a visitor reads comes from a catalogue; both are in the pages, so switching is instant.
"""

# Reflex gives `rx.cond` no type.
# mypy: disable-error-code="no-any-return"

import json
from importlib import resources
from typing import Any

import reflex as rx

LOCALES = {"en": "English", "zh": "简体中文"}
DEFAULT_LOCALE = "en"
YEAR_S = 365 * 86_400


def load_catalogue(locale: str) -> dict[str, str]:
    """Return one catalogue, message key to text."""
    text = (resources.files(__package__) / "messages" / f"{locale}.json").read_text(encoding="utf-8")
    catalogue: dict[str, str] = json.loads(text)
    return catalogue


CATALOGUES = {locale: load_catalogue(locale) for locale in LOCALES}


class LocaleState(rx.State):
    """Which language this browser reads."""

    locale: str = rx.Cookie(DEFAULT_LOCALE, name="sf_locale", path="/", max_age=YEAR_S, same_site="lax")

    @rx.event
    def choose(self, locale: str) -> None:
        """Switch the language."""
        if locale in LOCALES:
            self.locale = locale


def message(locale: str, key: str, **values: Any) -> str:
    """Return a message as text, for what the server itself says. Raises: KeyError."""
    return CATALOGUES.get(locale, CATALOGUES[DEFAULT_LOCALE])[key].format(**values)


def t(key: str, **values: Any) -> rx.Var[str]:
    """Return a message in the visitor's language; `values` fill its `{names}`. Raises: KeyError."""
    filled = {name: f"{value}" if isinstance(value, rx.Var) else value for name, value in values.items()}
    texts = {locale: catalogue[key] for locale, catalogue in CATALOGUES.items()}
    if filled:
        texts = {locale: text.format(**filled) for locale, text in texts.items()}
    return rx.cond(LocaleState.locale == "zh", texts["zh"], texts["en"])


def labels(prefix: str) -> rx.Var[dict[str, str]]:
    """Return all messages under `prefix.` as one object, key without the prefix to text."""
    start = f"{prefix}."
    picked = {
        locale: {key[len(start) :]: text for key, text in catalogue.items() if key.startswith(start)}
        for locale, catalogue in CATALOGUES.items()
    }
    return rx.cond(LocaleState.locale == "zh", rx.Var.create(picked["zh"]), rx.Var.create(picked["en"]))


def label_of(prefix: str, name: Any) -> rx.Var[str]:
    """Return the message `prefix.name` for a var `name`, or the name itself where there is none."""
    text = labels(prefix).to(dict[str, str])[rx.Var.create(name).to(str)]
    return rx.cond(text, text, name)


def language_tag() -> rx.Var[str]:
    """Return the BCP 47 tag for dates and the document."""
    return rx.cond(LocaleState.locale == "zh", "zh-CN", "en")
