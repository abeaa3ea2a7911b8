"""Whatever is sent, what comes back is in our words: bodies of the API, documents, edits and parameters."""

import random
import re
from typing import Any

import pytest

from structforge.api import app as application
from structforge.api.bodies import MODELS, checked
from structforge.domain.edits import parse_edits
from structforge.domain.errors import InvalidError, StructForgeError
from structforge.domain.validation import errors_of, parse_document, validate
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.planner import make_plan
from structforge.sdk.shapes import shapes_of
from tests.fuzz.node_types import FOREIGN, object_for, random_json, registry, value_for

REGISTRY = registry()
ROUNDS = 40
assert application


def told(error: StructForgeError) -> list[str]:
    """Return what the problems say."""
    problems = getattr(error, "problems", (error.problem,))
    assert all(problem.code and problem.message for problem in problems)
    return [str(text) for problem in problems for text in (problem.message, problem.hint)]


def judge(texts: list[str]) -> None:
    """Fail on a word of a library or of Python outside of quoted data."""
    for text in texts:
        bare = re.sub(r"`[^`]*`", "", text)
        assert not FOREIGN.search(bare), text


@pytest.mark.parametrize("name", sorted(MODELS))
def test_bodies_of_the_api(name: str) -> None:
    source, model = random.Random(name), MODELS[name]
    schema = model.model_json_schema()
    for _ in range(ROUNDS):
        body = value_for(source, schema, schema) if source.random() < 0.8 else random_json(source)
        try:
            checked(model, body)
        except InvalidError as error:
            judge(told(error))


def random_document(source: random.Random) -> dict[str, Any]:
    """Return a document of real node types with random parameters and policies, and one that is more random."""
    schema = WorkflowDocument.model_json_schema()
    if source.random() < 0.3:
        return object_for(source, schema, schema)
    nodes = []
    for number, node in enumerate(source.sample(list(REGISTRY), 4)):
        parameters = node.Parameters.model_json_schema()
        spec = {
            "id": f"n{number}",
            "type": node.type,
            "parameters": object_for(source, parameters, parameters),
        }
        if source.random() < 0.3:
            policies = schema["$defs"]["Policies"]
            spec["policies"] = object_for(source, policies, schema)
        nodes.append(spec)
    edges = [{"source": f"n{source.randrange(5)}", "target": f"n{source.randrange(5)}"} for _ in range(3)]
    settings = schema["$defs"]["WorkflowSettings"]
    made = {"nodes": nodes, "edges": edges, "inputs": random_json(source, 1)}
    return made | ({"settings": object_for(source, settings, schema)} if source.random() < 0.5 else {})


@pytest.mark.parametrize("seed", range(8))
def test_documents(seed: int) -> None:
    source, shapes = random.Random(seed), shapes_of(REGISTRY)
    for _ in range(ROUNDS):
        try:
            document = parse_document(random_document(source))
            problems = validate(document, shapes)
            judge([str(text) for problem in problems for text in (problem.message, problem.hint)])
            if not errors_of(problems):
                make_plan(document, REGISTRY)
        except StructForgeError as error:
            judge(told(error))


def test_edits() -> None:
    source = random.Random(5)
    kinds = [
        "add_node",
        "set_parameter",
        "set_policy",
        "set_setting",
        "add_edge",
        "move",
        "put_note",
        "nothing",
    ]
    for _ in range(10 * ROUNDS):
        body = [{"kind": source.choice(kinds), "id": "a", "name": "x", "value": random_json(source)}]
        try:
            parse_edits(body if source.random() < 0.9 else random_json(source))
        except StructForgeError as error:
            judge(told(error))


@pytest.mark.parametrize(
    ("type_id", "parameters", "where", "hint"),
    [
        ("table.sort", {"by": [{"colunm": "a", "column": "a"}]}, "parameters.by[0].colunm", "column"),
        (
            "flow.switch",
            {"value": 1, "cases": [{"nmae": "a", "name": "b", "match": 1}]},
            "parameters.cases[0].nmae",
            "name",
        ),
        ("http.request", {"url": "https://example.org", "timeout": 3}, "parameters.timeout", "timeout_s"),
        ("flow.approval", {"fields": [{"name": "a", "titel": "b"}]}, "parameters.fields[0].titel", "title"),
    ],
)
def test_an_unknown_parameter_is_named_with_the_nearest_known(
    type_id: str, parameters: dict[str, Any], where: str, hint: str
) -> None:
    document = parse_document({"nodes": [{"id": "it", "type": type_id, "parameters": parameters}]})
    (problem,) = [
        each for each in validate(document, shapes_of(REGISTRY)) if each.code == "parameter.unknown"
    ]
    assert (
        problem.where == f"nodes.it.{where}"
        and problem.hint.startswith("Did you mean ")
        and hint in problem.hint
    )


@pytest.mark.parametrize(
    ("part", "where", "hint"),
    [
        (
            {"nodes": [{"id": "a", "type": "flow.merge", "policies": {"retry": {"max_attempt": 3}}}]},
            "nodes.a.policies.retry.max_attempt",
            "max_attempts",
        ),
        ({"settings": {"max_run": 3}}, "settings.max_run", "max_runs"),
        ({"nods": []}, "nods", "nodes"),
        (
            {"edges": [{"source": "a", "target": "b", "sourceport": "c"}]},
            "edges[0].sourceport",
            "source_port",
        ),
    ],
)
def test_an_unknown_field_of_a_document_is_named_with_the_nearest_known(
    part: dict[str, Any], where: str, hint: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_document(part)
    (problem,) = caught.value.problems
    assert (problem.code, problem.where) == ("document.unknown_field", where)
    assert problem.hint.startswith("Did you mean ") and hint in problem.hint
