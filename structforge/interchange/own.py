"""Our own file format: `{"structforge": {"format", "name", …}, "workflow": <document>}`.

Invariant: what `write` wrote, `read` reads back as the same workflow; a file of a newer format is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.validation import parse_document
from structforge.domain.values import decode_json
from structforge.domain.workflow import WorkflowDocument

FORMAT = 1
MAX_FILE_BYTES = 6 * 1024 * 1024
MAX_NAME_CHARACTERS = 200
MAX_DESCRIPTION_CHARACTERS = 10_000
MAX_FOLDER_CHARACTERS = 200
MAX_TAGS = 50
MAX_TAG_CHARACTERS = 50


@dataclass(frozen=True, slots=True)
class Labels:
    """What people call a workflow and find it by."""

    name: str
    description: str = ""
    folder: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """A workflow as a file holds it."""

    labels: Labels
    document: WorkflowDocument


def write(file: WorkflowFile) -> dict[str, Any]:
    """Return the file as JSON; labels that are empty are left out."""
    head: dict[str, Any] = {"format": FORMAT, "name": file.labels.name}
    if file.labels.description:
        head["description"] = file.labels.description
    if file.labels.folder:
        head["folder"] = file.labels.folder
    if file.labels.tags:
        head["tags"] = list(file.labels.tags)
    return {"structforge": head, "workflow": file.document.as_json()}


def read(data: bytes | Mapping[str, Any], *, name: str = "Imported workflow") -> WorkflowFile:
    """Read a file, or a bare document, which gets `name`.

    Raises: InvalidError with every problem: `file.*` for the envelope, else `value.*` and `document.*`.
    """
    value = decode_json(data, max_bytes=MAX_FILE_BYTES) if isinstance(data, bytes) else data
    if not isinstance(value, Mapping):
        raise InvalidError(
            Problem("file.not_an_object", "A workflow file is a JSON object.", hint="Export one to see it.")
        )
    if "structforge" not in value:
        if "nodes" in value:
            return WorkflowFile(Labels(name), parse_document(value))
        raise InvalidError(
            Problem(
                "file.unknown_form",
                "This is no workflow file: it has neither `structforge` nor `nodes`.",
                hint="Export a workflow to see the form.",
            )
        )
    head = value["structforge"]
    version = head.get("format", FORMAT) if isinstance(head, Mapping) else None
    if not isinstance(head, Mapping) or not isinstance(version, int) or isinstance(version, bool):
        raise InvalidError(
            Problem("file.invalid", "`structforge` is an object with a `format`.", "structforge")
        )
    if version > FORMAT:
        raise InvalidError(
            Problem(
                "file.newer_format",
                sentence(
                    "The file has format {version}; this installation reads up to {format}.",
                    version=version,
                    format=FORMAT,
                ),
                "structforge.format",
                "Update StructForge.",
            )
        )
    labels, problems = check_labels({"name": name, **head}, where="structforge")
    document = value.get("workflow")
    if not isinstance(document, Mapping):
        problems.append(Problem("file.invalid", "`workflow` holds the document.", "workflow"))
    if problems or not isinstance(document, Mapping):
        raise InvalidError(*problems)
    return WorkflowFile(labels, parse_document(document))


def check_labels(value: Mapping[str, Any], *, where: str = "") -> tuple[Labels, list[Problem]]:
    """Return the labels in `value` and what is wrong with them, each problem with its place."""
    problems: list[Problem] = []
    place = f"{where}." if where else ""

    def text(key: str, limit: int) -> str:
        found = value.get(key, "")
        if not isinstance(found, str) or len(found) > limit:
            problems.append(
                Problem(
                    "workflow.label",
                    sentence("`{key}` is a text of at most {limit} characters.", key=key, limit=limit),
                    place + key,
                )
            )
            return ""
        return found.strip()

    name = text("name", MAX_NAME_CHARACTERS)
    if not name and not problems:
        problems.append(Problem("workflow.name_missing", "A workflow needs a name.", f"{place}name"))
    description = text("description", MAX_DESCRIPTION_CHARACTERS)
    folder = text("folder", MAX_FOLDER_CHARACTERS).strip("/")
    tags = value.get("tags", ())
    usable = isinstance(tags, list | tuple) and len(tags) <= MAX_TAGS
    if not usable or not all(isinstance(tag, str) and 0 < len(tag) <= MAX_TAG_CHARACTERS for tag in tags):
        limit = f"at most {MAX_TAGS} texts of 1 to {MAX_TAG_CHARACTERS} characters"
        problems.append(
            Problem("workflow.label", sentence("`tags` is a list of {limit}.", limit=limit), f"{place}tags")
        )
        tags = ()
    return Labels(name, description, folder, tuple(dict.fromkeys(tags))), problems
