"""Problems name fields as the form does, in the reader's language, and not by their path."""

from collections.abc import Iterator
from typing import Any

import pytest

from structforge.domain.faults import FORMS
from structforge.domain.validation import validate
from structforge.domain.workflow import WorkflowDocument
from structforge.nodes.builtin import NODE_TYPES, register
from structforge.sdk import NodeRegistry
from structforge.sdk.shapes import shapes_of
from structforge.ui.field_names import label_of, with_field_names
from structforge.ui.pages.editor_panel import at_fields
from tests.support.workflows import document, node

REGISTRY = NodeRegistry()
register(REGISTRY)


def parameters_of(kind: str) -> dict[str, Any]:
    found = REGISTRY.get(kind)
    assert found is not None
    return found.Parameters.model_json_schema()


@pytest.mark.parametrize(
    ("kind", "path", "label"),
    [
        ("flow.approval", ".fields[0].name", "Fields 1 › Name"),
        ("table.filter", ".conditions[11].value", "Conditions 12 › Value"),
        ("http.request", '.headers["X-Id"]', "Headers › X-Id"),
        ("data.set", ".fields.city", "Fields › city"),
        ("table.sort", ".nowhere[3].x", "nowhere 4 › x"),
        ("database.execute", ".batch[2]", "Once for each 3"),
    ],
)
def test_a_path_is_told_by_the_titles_along_it(kind: str, path: str, label: str) -> None:
    assert " ".join(label_of(parameters_of(kind), path)) == label


def patterns_in(schema: Any) -> Iterator[str]:
    """Yield each pattern that a JSON Schema holds a text to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        for each in schema.values():
            yield from patterns_in(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from patterns_in(each)


def test_what_patterns_of_parameters_allow_is_said_in_words() -> None:
    found = {pattern for kind in NODE_TYPES for pattern in patterns_in(kind.Parameters.model_json_schema())}
    assert found - FORMS.keys() == set()


def problem_of(made: WorkflowDocument, where: str) -> dict[str, Any]:
    found = next(each for each in validate(made, shapes_of(REGISTRY)) if where in each.where)
    return with_field_names(found.as_json(), made, REGISTRY)


def test_a_problem_of_a_parameter_names_its_field() -> None:
    fields = [{"name": "1 bad", "title": "x", "type": "text"}]
    made = document(
        node("a", "trigger.manual"), node("ask", "flow.approval", title="Go?", fields=fields), edges=["a>ask"]
    )
    said = problem_of(made, "fields[0].name")
    assert said["message"].startswith("Fields 1 › Name: ")
    assert said["sentences"]["message"]["values"]["name"] == ["Fields", "1", "›", "Name"]
    # Programs and the way to the field keep the path.
    assert said["where"] == "nodes.ask.parameters.fields[0].name"


def test_a_field_that_is_missing_is_named_by_its_title() -> None:
    made = document(node("a", "trigger.manual"), node("s", "table.join"), edges=["a>s.left", "a>s.right"])
    assert "Key of the left table" in problem_of(made, "left_on")["message"]


def test_beside_its_field_a_problem_needs_no_name() -> None:
    fields = [{"name": "1 bad", "title": "x", "type": "text"}]
    made = document(
        node("a", "trigger.manual"), node("ask", "flow.approval", title="Go?", fields=fields), edges=["a>ask"]
    )
    row = problem_of(made, "fields[0].name")
    said = at_fields("nodes.ask.parameters.", [row])["fields[0].name"]["said"][0]
    assert "Fields" not in said["text"] and "documentation" not in str(said)


def test_other_problems_stay_as_they_are() -> None:
    made = document(node("a", "trigger.manual"), node("b", "no.such.type"), edges=["a>b"])
    found = next(each for each in validate(made, shapes_of(REGISTRY)) if "b" in each.where)
    assert with_field_names(found.as_json(), made, REGISTRY) == found.as_json()
