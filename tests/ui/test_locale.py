"""The message catalogues."""

import re
from pathlib import Path

import structforge.ui
from structforge.ui.locale import CATALOGUES

UI = Path(structforge.ui.__file__).parent


def test_all_languages_have_the_same_messages_with_the_same_places() -> None:
    english = CATALOGUES["en"]
    for catalogue in CATALOGUES.values():
        assert catalogue.keys() == english.keys()
        for key, text in catalogue.items():
            assert text.strip()
            assert sorted(re.findall(r"{\w*}", text)) == sorted(re.findall(r"{\w*}", english[key])), key


def test_no_message_is_unused() -> None:
    source = "\n".join(path.read_text() for path in UI.rglob("*.py"))
    by_prefix = set(re.findall(r'label(?:s|_of)\(\s*"(\w+)"', source)) | set(
        re.findall(r'f"([\w.]+)\.{', source)
    )
    unused = [
        key
        for key in CATALOGUES["en"]
        if f'"{key}"' not in source and not any(key.startswith(f"{prefix}.") for prefix in by_prefix)
    ]
    assert unused == []
