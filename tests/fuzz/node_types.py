"""Throws data at every built-in node type: random JSON at its ports, valid-ish and random values at its parameters.

Whatever comes, a node ends with a result that is JSON, or with a problem in our words.
`python -m tests.fuzz nodes` runs it at length and prints what it found;
tests/nodes/test_no_crash.py does a part with fixed seeds.
"""

import asyncio
import random
import re
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from structforge.domain.errors import Problem, StructForgeError
from structforge.nodes import builtin
from structforge.sdk import Node, NodeRegistry
from structforge.sdk.testing import Bench, FakeHttp, FakeResponse

COLUMNS = ["a", "b", "key 0", "Straße", "row", "a.b", "value", "n", "day", "len", "index", "", "`x|y`"]
TEXTS = [
    "",
    "a",
    "b",
    "0",
    "5",
    "-1.50",
    "1e5",
    "abc",
    "Müller",
    "2024-03-01",
    "2024-03-01T10:00:00+02:00",
    "10:30",
    "tomorrow",
    "日本",
    "🙂",
    "x" * 300,
    "[[table:a]]",
    "{{ a }}",
    "line\nline",
    "\r",
    "a,b;c",
    "`|<b>",
    "^a(",
    "(a+)+$",
    "%d.%m.%Y",
    "%(x)s",
    "n/a",
    "true",
    "faLse ",
    "Europe/Paris",
    "Mars/Base",
    "../x",
    "a.csv",
    "b.json",
    "c.bin",
    "d.txt",
    "e.csv",
    "https://example.org/a?b=c",
    "ftp://x",
    "a_b.c",
]
NUMBERS: list[Any] = [
    0,
    1,
    -1,
    2,
    3.0,
    2.5,
    -0.0,
    0.1,
    1e-9,
    1e300,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    10**40,
    Decimal("0.1"),
    Decimal("1e30"),
    Decimal("12345678901234567890.123456789"),
    Decimal("0.00000000000000000000000000000000000000001"),
]
EXPRESSIONS = [
    "a",
    "a + b",
    "a / b",
    "a // n",
    "a % b",
    "a > b",
    "a == 'x'",
    "not a",
    "a and b",
    "upper(a)",
    "trim(a) == ''",
    "round(a, 2)",
    "row['key 0'] * 2",
    "number(a)",
    "integer(a)",
    "text(a)",
    "a if b > 1 else n",
    "is_empty(a)",
    "coalesce(a, b, 1)",
    "year(day)",
    "a in [1, 2, 'x']",
    "length(a)",
    "replace(a, 'a', 'b')",
    "nothing(a)",
    "a +",
    "a['x']",
    "min(a, b)",
    "a ** b",
    "a ~ b",
    "10 ** 400",
    "date(a)",
    "contains(a, b)",
    "decimal(a)",
    "a is none",
    "split(a, ',')",
    "a == b == 1",
    "'a' < 1",
    "-a",
    "abs(a)",
    "(a",
    "day < a",
]
FILES = {
    "a.csv": b'a,b,key 0\n1,x,2024-03-01\n2,,\n"q""",y,z\n',
    "b.json": b'[{"a": 1, "b": {"c": [1, null]}}, {"a": "x"}]',
    "c.bin": bytes(range(256)),
    "d.txt": "Müller\r\nÄ".encode("latin-1"),
    "e.csv": b"a;b\r1;2,5\r",
}
FOREIGN = re.compile(
    r"Traceback|[a-z]Error\b|Exception|dtype|polars|pyarrow|arrow|pydantic|jsonschema|psycopg|NoneType|<class"
    r"|object at 0x|Input should|invalid literal|not supported between|unhashable|\bNone\b|\bTrue\b(?! or)|\bFalse\b"
    r"|\bdict\b|\bstr\b|Int64|Float64|Utf8|datatype|got an unexpected|must be real|positional argument|\{[a-z_]+\}"
)
"""Words of libraries and of Python: nothing of the data above holds one."""


@dataclass
class Found:
    """What went wrong, once for each kind."""

    runs: int = 0
    faults: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, story: str) -> None:
        """Keep the first story of a kind."""
        self.faults.setdefault(kind, story)


def random_json(source: random.Random, depth: int = 0) -> Any:
    """Return any JSON value, exact decimals among them."""
    draw = source.random()
    if depth < 3 and draw < 0.2:
        return [random_json(source, depth + 1) for _ in range(source.randrange(5))]
    if depth < 3 and draw < 0.4:
        return {
            source.choice([*COLUMNS, "$artifact"]): random_json(source, depth + 1)
            for _ in range(source.randrange(4))
        }
    return source.choice([None, True, False, source.choice(NUMBERS), source.choice(TEXTS)])


def random_table(source: random.Random) -> list[dict[str, Any]]:
    """Return rows whose columns are of one kind, mostly."""
    if source.random() < 0.04:
        return [{} for _ in range(source.choice([1, 2, 4_000]))]
    names = source.sample(COLUMNS, source.randrange(1, 6))
    kinds = {
        name: source.choice([TEXTS, NUMBERS, [0, 1, 7], [True, False], ["2024-03-01", "2024-02-30"], [None]])
        for name in names
    }
    return [
        {
            name: source.choice(kinds[name]) if source.random() < 0.85 else random_json(source, 1)
            for name in names
            if source.random() < 0.95
        }
        for _ in range(source.choice([0, 1, 2, 5, 12]))
    ]


def value_for(source: random.Random, schema: dict[str, Any], root: dict[str, Any], name: str = "") -> Any:
    """Return a value that mostly is what a JSON Schema asks for."""
    if source.random() < 0.08:
        return random_json(source)
    if "$ref" in schema:
        return value_for(source, root["$defs"][schema["$ref"].rpartition("/")[2]], root, name)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return value_for(source, source.choice(schema[key]), root, name)
    if "enum" in schema:
        return source.choice(schema["enum"])
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "string":
            return text_for(source, schema, name)
        case "integer" | "number":
            return number_for(source, schema)
        case "boolean":
            return source.random() < 0.5
        case "null":
            return None
        case "array":
            items = schema.get("items") or {"type": "string"}
            return [value_for(source, items, root, name) for _ in range(source.choice([0, 1, 1, 2, 3]))]
        case "object":
            return object_for(source, schema, root)
    return random_table(source) if source.random() < 0.4 else random_json(source)


def text_for(source: random.Random, schema: dict[str, Any], name: str) -> str:
    """Return a text: an expression or a column where the field holds one."""
    if "expression" in name or schema.get("x-widget") == "row_expression":
        return source.choice(EXPRESSIONS)
    if name in ("column", "columns", "pick", "drop", "left_on", "right_on", "key"):
        return source.choice(COLUMNS)
    return source.choice(TEXTS)


def number_for(source: random.Random, schema: dict[str, Any]) -> Any:
    """Return a number, mostly within the limits."""
    low, high = schema.get("minimum", schema.get("exclusiveMinimum", -5)), schema.get("maximum", 12)
    if source.random() < 0.7 and low <= min(high, 12):
        return source.randint(int(low), int(min(high, max(low + 12, 12))))
    return source.choice(NUMBERS)


def object_for(source: random.Random, schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return an object with most of its fields, or with any names where the schema has none."""
    fields = schema.get("properties")
    if fields is None:
        others = schema.get("additionalProperties")
        body = others if isinstance(others, dict) else {}
        return {source.choice(COLUMNS): value_for(source, body, root) for _ in range(source.randrange(3))}
    required = set(schema.get("required", ()))
    made = {
        name: value_for(source, field, root, name)
        for name, field in fields.items()
        if source.random() < (0.97 if name in required else 0.3)
    }
    if source.random() < 0.02:
        made[source.choice(["colunm", "rows ", "x"])] = 1
    return made


def inputs_for(source: random.Random, node: Node[Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Return values for the ports: tables for tables, mostly."""
    made = {}
    for port in node.input_ports(parameters):
        if not port.required and source.random() < 0.3:
            continue
        values = [
            random_table(source) if port.type == "table" and source.random() < 0.9 else random_json(source)
            for _ in range(source.randrange(3) if port.many else 1)
        ]
        made[port.name] = values if port.many else values[0]
    return made


def answer(source: random.Random) -> FakeResponse:
    """Return what a server may answer."""
    kinds = [
        "application/json",
        "text/plain; charset=nonsense",
        "text/html; charset=latin-1",
        "image/png",
        "",
        "text/csv; x",
        ";;=",
    ]
    contents = [
        b"",
        b"{}",
        b'{"a": 1.10}',
        b"\xff\xfe",
        "Müller".encode("latin-1"),
        b"\xef\xbb\xbf[1]",
        b"[1,",
        bytes(range(256)),
    ]
    return FakeResponse(
        source.choice([200, 200, 204, 301, 404, 429, 500, 599, 999]),
        {
            "content-type": source.choice(kinds),
            "retry-after": source.choice(TEXTS),
            "content-disposition": source.choice(TEXTS),
        },
        source.choice(contents),
    )


def registry() -> NodeRegistry:
    """Return the built-in node types."""
    made = NodeRegistry()
    builtin.register(made)
    return made


def nodes_that_run(types: NodeRegistry) -> Iterator[Node[Any]]:
    """Yield the types whose `run` does the work: a loop is the engine's."""
    yield from (node for node in types if not node.loop)


async def run_once(source: random.Random, node: Node[Any], bench: Bench, found: Found) -> None:
    """Run a node once and judge how it ended."""
    schema = node.Parameters.model_json_schema()
    parameters = object_for(source, schema, schema) if source.random() < 0.97 else {"x": random_json(source)}
    found.runs += 1
    given: dict[str, Any] = {}
    try:
        given = inputs_for(source, node, parameters)
        await bench.run_async(node, parameters, given)
    except StructForgeError as error:
        for problem in getattr(error, "problems", (error.problem,)):
            judge(problem, node, parameters, given, found)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise
    except BaseException as error:  # polars raises panics that are no Exception.
        last = traceback.extract_tb(error.__traceback__)[-1]
        story = f"{parameters!r}\n{given!r}\n{''.join(traceback.format_exception(error)[-8:])}"
        found.add(f"{node.type} crashed: {type(error).__name__} at {last.filename}:{last.lineno}", story)


def judge(problem: Problem, node: Node[Any], parameters: Any, given: Any, found: Found) -> None:
    """Look at what is said: our words, and a code."""
    for text in (problem.message, problem.hint):
        bare = re.sub(r"`[^`]*`", "", str(text))
        if match := FOREIGN.search(bare):
            found.add(
                f"{node.type} says {match[0]!r} in {problem.code}", f"{text}\n{parameters!r}\n{given!r}"
            )
    if problem.code in ("step.crashed", "result.not_json"):
        found.add(f"{node.type}: {problem.code}", f"{problem}\n{parameters!r}\n{given!r}")


def fuzz(seed: int, *, rounds: int | None = None, seconds: float | None = None) -> Found:
    """Run every node type again and again. Returns what was found."""
    source, found = random.Random(seed), Found()
    types = list(nodes_that_run(registry()))
    end = None if seconds is None else time.monotonic() + seconds
    with Bench(http=FakeHttp(lambda *request: answer(source))) as bench:
        for name, content in FILES.items():
            (bench.files / name).write_bytes(content)

        async def all_of_them() -> None:
            done = 0
            while (rounds is None or done < rounds) and (end is None or time.monotonic() < end):
                for node in types:
                    await run_once(source, node, bench, found)
                done += 1

        asyncio.run(all_of_them())
    return found
