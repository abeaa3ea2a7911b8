"""Reading a document from outside: JSON of any quality in, a `WorkflowDocument` or every problem out."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.expressions.problems import suggestion
from structforge.domain.faults import fault_sentence, names_at
from structforge.domain.values import decode_json, journal_safe, path_of
from structforge.domain.workflow import (
    DOCUMENT_FORMAT,
    WorkflowDocument,
)

MAX_DOCUMENT_BYTES = 5 * 1024 * 1024
"""Largest document that is read, as JSON text."""
MAX_PROBLEMS = 100
"""Most problems reported for one document; a last one tells how many were left out."""


def parse_document(
    data: bytes | Mapping[str, Any], *, max_bytes: int = MAX_DOCUMENT_BYTES
) -> WorkflowDocument:
    """Read a document from JSON text or decoded JSON.

    Raises: InvalidError with every problem: `value.*` for what is no JSON, `document.*` for the rest.
    """
    value = decode_json(data, max_bytes=max_bytes) if isinstance(data, bytes) else journal_safe(data)
    if not isinstance(value, dict):
        raise InvalidError(
            Problem(
                "document.not_an_object",
                "A workflow document is a JSON object with nodes and edges.",
                hint="Export a workflow to see the form.",
            )
        )
    found = value.get("format", DOCUMENT_FORMAT)
    if type(found) is int and found > DOCUMENT_FORMAT:
        raise InvalidError(
            Problem(
                "document.newer_format",
                sentence(
                    "The document has format {found}; this installation reads up to {document_format}.",
                    found=found,
                    document_format=DOCUMENT_FORMAT,
                ),
                "format",
                "Update StructForge, or export the workflow again from an older one.",
            )
        )
    try:
        return WorkflowDocument.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        problems = [_problem(found_error, value) for found_error in errors[:MAX_PROBLEMS]]
        raise InvalidError(*limited(problems, len(errors))) from None


def limited(problems: Sequence[Problem], total: int) -> list[Problem]:
    """Return the first `MAX_PROBLEMS`, and one that tells how many of `total` were left out."""
    shown = list(problems[:MAX_PROBLEMS])
    if total > len(shown):
        shown.append(
            Problem(
                "document.more_problems",
                sentence("{total} more problems are not shown.", total=total - len(shown)),
                hint="Mend these first.",
            )
        )
    return shown


def _problem(error: ErrorDetails, document: Mapping[str, Any]) -> Problem:
    where = _where(error["loc"], document)
    last = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "missing":
        return Problem(
            "document.missing", sentence("The field {last} is missing.", last=last), where, "Add it."
        )
    if error["type"] == "extra_forbidden":
        return Problem(
            "document.unknown_field",
            sentence("There is no field {last} here.", last=f"`{last[:80]}`"),
            where,
            suggestion(last, names_at(WorkflowDocument, error["loc"]), "fields"),
        )
    message = fault_sentence(error)
    if error["type"] == "string_pattern_mismatch" and last in ("id", "source", "target"):
        message = "A node id is lower case, starts with a letter and has at most 48 letters, digits and _"
    return Problem(
        "document.invalid",
        sentence("{message}.", message=message),
        where,
        "See the description of the document format.",
    )


def _where(place: Sequence[int | str], document: Mapping[str, Any]) -> str:
    """Return `nodes.fetch.policies.retry`, or `nodes[3].id` when the node has no usable id."""
    match place:
        case ("nodes", int(index), *rest) if rest != ["id"]:
            node = document["nodes"][index]
            node_id = node.get("id") if isinstance(node, dict) else None
            path = (
                f"nodes.{node_id}"
                if isinstance(node_id, str) and node_id.isidentifier()
                else f"nodes[{index}]"
            )
        case (first, *rest):
            path = str(first)
        case _:
            return ""
    for part in rest:
        path = path_of(path, part)
    return path
