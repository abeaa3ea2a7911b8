"""Every function has a note, and every example gives what the note says."""

import pytest

from structforge.domain.expressions import parse
from structforge.domain.expressions.catalogue import NOTES
from structforge.domain.expressions.functions import FUNCTIONS, SPECIAL
from structforge.ui.locale import CATALOGUES


def test_every_function_has_a_note_and_a_sentence_in_each_language() -> None:
    assert set(NOTES) == {*FUNCTIONS, *SPECIAL}
    for catalogue in CATALOGUES.values():
        told = {key.removeprefix("fn.") for key in catalogue if key.startswith("fn.")}
        assert told == set(NOTES)


@pytest.mark.parametrize("name", sorted(NOTES))
def test_the_example_gives_the_result(name: str) -> None:
    note = NOTES[name]
    assert name in note.example
    assert parse(f"{{{{ {note.example} }}}}").evaluate({}) == note.result
