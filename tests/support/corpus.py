"""Cases of the corpus: files, an input and a workflow as data, and the exact output or error that must come out.

Invariant: a case holds no code. `{"$times": n, "of": value}` is a list of n copies of a value, and in a text of a
file `{"$lines": [head, [line, n], …]}` repeats lines, so that large data stays readable.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "corpus" / "values"


@dataclass(frozen=True)
class Case:
    """One workflow with what goes in and what has to come out."""

    name: str
    files: dict[str, bytes]
    input: Any
    document: dict[str, Any]
    output: Any
    """What the run returns; `...` where an error is expected."""
    code: str | None
    """The code of the run's error."""
    says: str
    """A part of the error's sentence, place or hint: what people need to find the fault."""


def cases_of(path: Path) -> Iterator[Case]:
    """Yield the cases of one file of the corpus."""
    for made in exact(path.read_text())["cases"]:
        nodes = [{"id": "start", "type": "trigger.manual"}, *made["nodes"]]
        error = made.get("error", {})
        yield Case(
            name=made["name"],
            files={name: _content(content) for name, content in made.get("files", {}).items()},
            input=expanded(made.get("input", {})),
            document={
                "nodes": nodes,
                "edges": [_edge(text) for text in made["edges"]],
                **made.get("more", {}),
            },
            output=expanded(made["output"]) if "output" in made else ...,
            code=error.get("code"),
            says=error.get("says", ""),
        )


def exact(text: str) -> Any:
    """Decode JSON with every digit: numbers with a fraction are `Decimal`."""
    return json.loads(text, parse_float=Decimal)


def exact_text(value: Any) -> str:
    """Encode what `exact` decoded, with every digit."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(
                f"{json.dumps(key, ensure_ascii=False)}:{exact_text(item)}" for key, item in value.items()
            )
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(exact_text(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def same(found: Any, wanted: Any) -> bool:
    """Compare two values to the last digit: 1 is 1.0 and 1.00, but neither true nor "1"."""
    if isinstance(wanted, bool) or isinstance(found, bool):
        return found is wanted
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(wanted)
            and all(same(found[key], item) for key, item in wanted.items())
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(same(one, other) for one, other in zip(found, wanted, strict=True))
        )
    if isinstance(wanted, int | Decimal):
        return isinstance(found, int | Decimal) and found == wanted
    return type(found) is type(wanted) and bool(found == wanted)


def expanded(value: Any) -> Any:
    """Return the value with `{"$times": n, "of": …}` written out."""
    if isinstance(value, dict):
        if set(value) == {"$times", "of"}:
            return [expanded(value["of"])] * value["$times"]
        if set(value) == {"$text", "times"}:
            return value["$text"] * value["times"]
        return {key: expanded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expanded(item) for item in value]
    return value


def _content(content: Any) -> bytes:
    if isinstance(content, str):
        return content.encode()
    if "$base64" in content:
        return base64.b64decode(content["$base64"])
    lines = [line if isinstance(line, list) else [line, 1] for line in content["$lines"]]
    return "".join(f"{text}\n" * times for text, times in lines).encode()


def _edge(text: str) -> dict[str, str]:
    source, target = text.split(">")
    source_id, _, source_port = source.partition(".")
    target_id, _, target_port = target.partition(".")
    made = {"source": source_id, "target": target_id}
    if source_port:
        made["source_port"] = source_port
    if target_port:
        made["target_port"] = target_port
    return made
