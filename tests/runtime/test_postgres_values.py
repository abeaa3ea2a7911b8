"""Values of PostgreSQL in both directions: by the types that the server describes, every digit kept."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from structforge.config import Settings
from structforge.nodes.database import DatabaseQuery, QueryParameters
from structforge.sdk import NodeError
from structforge.sdk.tables import Table, read_table
from structforge.sdk.testing import FakeContext, FakeHttp, FolderArtifacts
from tests.runtime.test_databases import Target, target
from tests.support.servers import Servers

__all__ = ["target"]

CELLS: list[tuple[str, Any, str]] = [
    ("true", True, "boolean"),
    ("9223372036854775807::int8", 9223372036854775807, "integer"),
    ("4294967295::oid", 4294967295, "integer"),
    ("1.50::numeric(10, 2)", Decimal("1.50"), "decimal"),
    ("7::numeric(10, 0)", 7, "integer"),
    ("1250::numeric(4, -2)", 1300, "integer"),
    ("7::numeric", 7, "integer"),
    ("0.12345678901234567890123456789::numeric", Decimal("0.12345678901234567890123456789"), "decimal"),
    ("'NaN'::numeric", None, "decimal"),
    ("'-Infinity'::numeric", None, "decimal"),
    ("1e5000::numeric", "1" + "0" * 5000, "text"),
    ("0.1::float4", 0.1, "number"),
    ("0.1::float8", 0.1, "number"),
    ("'Infinity'::float8", None, "number"),
    ("'-1234.50'::money", Decimal("-1234.50"), "decimal"),
    ("ARRAY[1.5]::money[]", [Decimal("1.5")], "list"),
    ("date '2024-03-01'", "2024-03-01", "text"),
    ("date 'infinity'", "infinity", "text"),
    ("date '-infinity'", "-infinity", "text"),
    ("date '0044-03-15 BC'", "-0043-03-15", "text"),
    ("date '0001-01-01 BC'", "0000-01-01", "text"),
    ("date '10000-01-01'", "+10000-01-01", "text"),
    ("timestamp '2024-03-01 10:00:00'", "2024-03-01T10:00:00", "text"),
    ("timestamp '2024-03-01 10:00:00.5'", "2024-03-01T10:00:00.500000", "text"),
    ("timestamp '0044-03-15 10:00 BC'", "-0043-03-15T10:00:00", "text"),
    ("timestamp 'infinity'", "infinity", "text"),
    ("timestamptz '2024-03-01 10:00:00+02'", "2024-03-01T08:00:00+00:00", "text"),
    ("timestamptz '-infinity'", "-infinity", "text"),
    ("timestamptz '0044-03-15 10:00:00+00 BC'", "-0043-03-15T10:00:00+00:00", "text"),
    ("timestamptz '12345-03-15 10:00:00.25+00'", "+12345-03-15T10:00:00.250000+00:00", "text"),
    ("time '24:00'", "24:00:00", "text"),
    ("time '10:00:00.25'", "10:00:00.250000", "text"),
    ("timetz '10:00+05:30'", "10:00:00+05:30", "text"),
    ("timetz '24:00-02'", "24:00:00-02:00", "text"),
    ("interval '1 mon 2 days 03:04:05.5'", "P1M2DT3H4M5.5S", "text"),
    ("interval '-1 day'", "P-1D", "text"),
    ("interval 'infinity'", "infinity", "text"),
    ("""'{"a": 0.12345678901234567890, "b": [1, null]}'::jsonb""",
     {"a": Decimal("0.12345678901234567890"), "b": [1, None]}, "object"),
    ("'12345678901234567890'::jsonb", 12345678901234567890, "mixed"),
    ("'null'::jsonb", None, "object"),
    (r"""'"\u0000"'::json""", r'"\u0000"', "mixed"),
    (r"""'"\ud800"'::json""", r'"\ud800"', "mixed"),
    ("ARRAY[1, NULL, 3]", [1, None, 3], "list"),
    ("ARRAY[[1, 2], [3, 4]]", [[1, 2], [3, 4]], "list"),
    ("'[0:1]={5,6}'::int[]", [5, 6], "list"),
    ("'{}'::text[]", [], "list"),
    (r"""ARRAY['a,b', '{"', '\', '', 'NULL', NULL]""", ["a,b", '{"', "\\", "", "NULL", None], "list"),
    ("ARRAY[1.5, 2]::numeric[]", [Decimal("1.5"), 2], "list"),
    ("""ARRAY['{"a": 1}', '[1]']::jsonb[]""", [{"a": 1}, [1]], "list"),
    ("ARRAY['(1,1),(0,0)', '(2,2),(1,1)']::box[]", ["(1,1),(0,0)", "(2,2),(1,1)"], "list"),
    ("int4range(1, 5)", "[1,5)", "text"),
    ("'{[1,2),[5,6)}'::int4multirange", "{[1,2),[5,6)}", "text"),
    (r"'\x00ff'::bytea", "\\x00ff", "text"),
    ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "text"),
    ("'10.0.0.1'::inet", "10.0.0.1", "text"),
    ("'10.0.0.0/8'::cidr", "10.0.0.0/8", "text"),
    ("'08:00:2b:01:02:03'::macaddr", "08:00:2b:01:02:03", "text"),
    ("B'101'", "101", "text"),
    ("point(1, 2)", "(1,2)", "text"),
    ("'happy'::mood", "happy", "text"),
    ("ARRAY['happy', 'sad']::mood[]", ["happy", "sad"], "list"),
    ("ROW('Oslo', 1.5, ARRAY[1])::place", {"name": "Oslo", "size": Decimal("1.5"), "ids": [1]}, "object"),
    ("ROW(NULL, NULL, NULL)::place", {"name": None, "size": None, "ids": None}, "object"),
    ("""ARRAY[ROW('a"b,\\c', 1, '{}')::place]""", [{"name": 'a"b,\\c', "size": 1, "ids": []}], "list"),
    ("7::whole", 7, "integer"),
    ("ROW(1, 'a b', NULL)", ["1", "a b", None], "list"),
    ("'1 2'::int2vector", [1, 2], "list"),
    ("pg_sleep(0)", None, "text"),
    ("'x'::\"char\"", "x", "text"),
    ("to_tsvector('simple', 'a b')", "'a':1 'b':2", "text"),
    ("NULL", None, "text"),
    ("'grüß 漢字 🎈'", "grüß 漢字 🎈", "text"),
]  # fmt: skip

VALUES: list[tuple[Any, str, str]] = [
    (["a", "b"], "jsonb", '["a", "b"]'),
    ([1, "a"], "jsonb", '[1, "a"]'),
    ([], "jsonb", "[]"),
    ("a", "jsonb", '"a"'),
    ('{"a": 1}', "jsonb", r'"{\"a\": 1}"'),
    (5, "jsonb", "5"),
    (True, "jsonb", "true"),
    (Decimal("0.1234567890123456789"), "jsonb", "0.1234567890123456789"),
    ({"a": [1, None]}, "json", '{"a":[1,null]}'),
    (["a", None, "NULL", "", 'x"\\'], "text[]", r'{a,NULL,"NULL","","x\"\\"}'),
    ([1, 2.0, "3"], "int[]", "{1,2,3}"),
    ([[1, 2], [3, 4]], "int[]", "{{1,2},{3,4}}"),
    ([], "int[]", "{}"),
    ([1, 2.5], "numeric[]", "{1,2.5}"),
    ([{"a": 1}, [1], "x", None], "jsonb[]", r'{"{\"a\": 1}",[1],"\"x\"",NULL}'),
    ([True, None], "bool[]", "{t,NULL}"),
    (["2024-03-01"], "date[]", "{2024-03-01}"),
    ({"a": 1}, "text", '{"a":1}'),
    (5, "text", "5"),
    (1.5, "text", "1.5"),
    (True, "text", "true"),
    ([1], "text", "[1]"),
    ("5", "numeric", "5"),
    (12345678901234567890, "numeric", "12345678901234567890"),
    (Decimal("0.12345678901234567890"), "numeric", "0.12345678901234567890"),
    (Decimal("1E+30"), "numeric", "1" + "0" * 30),
    (9223372036854775807, "int8", "9223372036854775807"),
    (3.0, "int4", "3"),
    ("7", "int4", "7"),
    (0.1, "float8", "0.1"),
    (1.5, "money", "$1.50"),
    ("yes", "bool", "true"),
    (False, "bool", "false"),
    ("2024-03-01", "date", "2024-03-01"),
    ("-0043-03-15", "date", "0044-03-15 BC"),
    ("+10000-01-01", "date", "10000-01-01"),
    ("infinity", "date", "infinity"),
    ("2024-03-01T10:00:00.5+02:00", "timestamptz", "2024-03-01 08:00:00.5+00"),
    ("2024-03-01T10:00:00+02:00", "timestamp", "2024-03-01 08:00:00"),
    ("2024-03-01T10:00:00Z", "timestamp", "2024-03-01 10:00:00"),
    ("2024-03-01T10:00:00", "timestamp", "2024-03-01 10:00:00"),
    ("P1M2DT3H", "interval", "P1M2DT3H"),
    ("24:00", "time", "24:00:00"),
    ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("\\x00ff", "bytea", "\\x00ff"),
    ("10.0.0.1", "inet", "10.0.0.1/32"),
    ("happy", "mood", "happy"),
    (["happy"], "mood[]", "{happy}"),
    ({"name": "Os,lo", "ids": [1, 2]}, "place", '("Os,lo",,"{1,2}")'),
    (["Oslo", 1.5, None], "place", "(Oslo,1.5,)"),
    (7, "whole", "7"),
    ("[1,5)", "int4range", "[1,5)"),
    ("(1,2)", "point", "(1,2)"),
    (None, "jsonb", None),
    (None, "int[]", None),
]

UNFIT: list[tuple[Any, str]] = [
    (1.5, "int4"),
    (Decimal("0.5"), "int8"),
    ([1, 2.5], "int[]"),
    (True, "int4"),
    (1, "bool"),
    ("x", "int4"),
    ("", "numeric"),
    (99999999999, "int4"),
    ({"a": 1}, "int4"),
    ([1], "int4"),
    (5, "int[]"),
    (["x"], "int[]"),
    ([[1], [2, 3]], "int[]"),
    (20240301, "date"),
    ("2024-13-01", "date"),
    ("", "date"),
    ("tomorrowish", "timestamptz"),
    ("2024-03-01T25:00+02:00", "timestamp"),
    ("nobody", "uuid"),
    ({"b": 1}, "place"),
    (["a"], "place"),
    ("angry", "mood"),
    ([1], "uuid"),
    ("\\xzz", "bytea"),
    ({"a": 1}, "date"),
]


@pytest.fixture
async def typed(target: Target) -> AsyncIterator[Target]:
    """The database with types of its own."""
    target.sql("CREATE TYPE mood AS ENUM ('happy', 'sad')")
    target.sql("CREATE TYPE place AS (name text, size numeric, ids int[])")
    target.sql("CREATE DOMAIN whole AS int CHECK (value > 0)")
    yield target


async def test_every_type_gives_a_cell_and_a_column(typed: Target) -> None:
    wrong = []
    for expression, cell, kind in CELLS:
        found = await typed.query(f"SELECT {expression.replace('%', '%%')} AS it")
        got = found.rows[0]["it"]
        if (got, type(got), found.types) != (cell, type(cell), (kind,)):
            wrong.append((expression, got, found.types))
        empty = await typed.query(f"SELECT {expression.replace('%', '%%')} AS it WHERE false")
        assert empty.columns == ("it",) and len(empty.types) == 1 and empty.rows == []
    assert wrong == []


async def test_values_take_the_type_that_the_statement_says(typed: Target) -> None:
    wrong = []
    for value, kind, written in VALUES:
        found = await typed.query(f"SELECT (%(it)s::{kind})::text AS it", {"it": value})
        if found.rows != [{"it": written}]:
            wrong.append((value, kind, found.rows))
    assert wrong == []


async def test_values_are_stored_as_the_columns_say(typed: Target) -> None:
    typed.sql("CREATE TABLE kept (tags jsonb, words text[], amount numeric(14, 2), note text)")
    given = [
        {"tags": ["a", "b"], "words": ["a", "b"], "amount": 1.1, "note": 5},
        {"tags": [1, "a"], "words": [], "amount": Decimal("12345678901.99"), "note": {"a": 1}},
        {"tags": {"a": []}, "words": None, "amount": "7", "note": None},
    ]
    insert = "INSERT INTO kept VALUES (%(tags)s, %(words)s, %(amount)s, %(note)s) RETURNING *"
    written = await typed.write(insert, key="k", batch=given)
    assert written.rows == [
        {"tags": ["a", "b"], "words": ["a", "b"], "amount": 1.1, "note": "5"},
        {"tags": [1, "a"], "words": [], "amount": 12345678901.99, "note": '{"a":1}'},
        {"tags": {"a": []}, "words": None, "amount": 7, "note": None},
    ]
    again = await typed.write(insert, key="k", batch=given)
    assert again.repeated and again.rows == written.rows


@pytest.mark.parametrize("count", [1, 2, 7])
async def test_returning_of_every_element_comes_in_order(typed: Target, count: int) -> None:
    batch = [{"name": f"n{number}"} for number in range(count)]
    done = await typed.write(
        "INSERT INTO cities (name) VALUES (%(name)s) RETURNING id, name", key="k", batch=batch
    )
    assert done.rows == [{"id": number + 1, "name": f"n{number}"} for number in range(count)]
    assert done.changed == count


async def test_an_element_that_is_refused_is_named_and_nothing_is_changed(typed: Target) -> None:
    insert = "INSERT INTO cities (name) VALUES (%(name)s)"
    with pytest.raises(NodeError) as caught:
        await typed.write(insert, key="k", batch=[{"name": "a"}, {"name": "b"}, {"name": "a"}])
    assert caught.value.problem.details["element"] == 2
    with pytest.raises(NodeError) as caught:
        await typed.write("INSERT INTO cities (name) VALUES (%(other)s)", key="k", batch=[{"name": "a"}])
    assert (caught.value.problem.code, caught.value.problem.where) == (
        "database.placeholder",
        "parameters.batch[0]",
    )
    typed.sql("CREATE TABLE days (day date)")
    with pytest.raises(NodeError) as caught:
        await typed.write(
            "INSERT INTO days VALUES (%(day)s)", key="k", batch=[{"day": "2024-03-01"}, {"day": "soon"}]
        )
    assert (caught.value.problem.code, caught.value.problem.where) == (
        "database.value",
        "parameters.batch[1].day",
    )
    assert typed.sql("SELECT count(*) FROM cities") == [(0,)]


async def test_what_does_not_fit_is_named_with_the_type(typed: Target) -> None:
    wrong = []
    for value, kind in UNFIT:
        try:
            found = await typed.query(f"SELECT %(it)s::{kind} AS it", {"it": value})
            wrong.append((value, kind, found.rows))
        except NodeError as error:
            problem = error.problem
            if (problem.code, problem.where) != (
                "database.value",
                "parameters.values.it",
            ) or "`it`" not in problem.message:
                wrong.append((value, kind, problem))
    assert wrong == []


async def test_lists_of_whole_and_other_numbers_meet_whole_columns(typed: Target) -> None:
    typed.sql("INSERT INTO cities (name) VALUES ('a'), ('b'), ('c')")
    found = await typed.query("SELECT id FROM cities WHERE id = ANY(%(n)s) ORDER BY id", {"n": [1, 2.5, 3.0]})
    assert found.rows == [{"id": 1}, {"id": 3}]
    found = await typed.query("SELECT id FROM cities WHERE id = ANY(%(n)s) ORDER BY id", {"n": []})
    assert found.rows == []
    found = await typed.query("SELECT id * %(f)s AS x FROM cities WHERE id = 3", {"f": 1.5})
    assert found.rows == [{"x": Decimal("4.5")}]
    with pytest.raises(NodeError) as caught:
        await typed.write("UPDATE cities SET id = DEFAULT WHERE id = %(f)s", key="k", values={"f": 1.5})
    assert caught.value.problem.code == "database.value"


async def test_values_whose_type_is_open_are_what_they_are(typed: Target) -> None:
    found = await typed.query(
        "SELECT %(n)s AS n, %(t)s AS t, %(b)s AS b, %(d)s AS d, %(o)s AS o, %(l)s AS l, %(z)s IS NULL AS z",
        {"n": 5, "t": "x", "b": True, "d": 1.5, "o": {"a": 1}, "l": [1, 2], "z": None},
    )
    assert found.rows == [
        {"n": 5, "t": "x", "b": True, "d": Decimal("1.5"), "o": {"a": 1}, "l": [1, 2], "z": True}
    ]
    open_type = await typed.refusal("SELECT %(x)s + %(y)s", {"x": "a", "y": "b"})
    assert open_type.problem.code == "database.refused"


async def test_numeric_columns_are_of_one_type(typed: Target) -> None:
    found = await typed.query("SELECT * FROM (VALUES (1::numeric), (2.5), (NULL), ('NaN')) AS t (n)")
    assert [(row["n"], type(row["n"])) for row in found.rows] == [
        (1, Decimal), (Decimal("2.5"), Decimal), (None, type(None)), (None, type(None))
    ]  # fmt: skip
    assert found.types == ("decimal",)
    assert len(found.remarks) == 1 and "n: 1 times" in found.remarks[0]


async def test_names_of_columns_come_once(typed: Target) -> None:
    found = await typed.query('SELECT 1 AS id, 2 AS id, 3 AS "id_2", 4 AS id WHERE false')
    assert found.columns == ("id", "id_3", "id_2", "id_4")
    rows = (await typed.query('SELECT 1 AS id, 2 AS id, 3 AS "id_2"')).rows
    assert rows == [{"id": 1, "id_3": 2, "id_2": 3}]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SET search_path = public", "database.no_result"),
        ("-- nothing", "database.no_result"),
        ("", "database.no_result"),
        ("COPY cities TO STDOUT", "database.no_result"),
        ("SELECT %(a", "database.placeholder"),
        ("SELECT %d", "database.placeholder"),
        ("SELECT 10 %", "database.placeholder"),
        ("SELECT %(gone)s", "database.placeholder"),
        ("SELECT 1 WHERE %(x)s IN ('a'", "database.refused"),
    ],
)
async def test_statements_that_cannot_be_read_are_refused_with_a_code(
    typed: Target, statement: str, code: str
) -> None:
    assert (await typed.refusal(statement, {"x": 1})).problem.code == code


async def test_the_position_is_that_of_the_text_as_written(typed: Target) -> None:
    statement = "SELECT %(a_long_name)s, 100 %% 7, nowhere FROM cities"
    error = await typed.refusal(statement, {"a_long_name": 1})
    assert error.problem.details["position"] == statement.index("nowhere") + 1


async def test_limits_hold_while_rows_arrive(typed: Target) -> None:
    endless = "SELECT repeat('x', 1000), generate_series(1, 100000000)"
    large = await typed.refusal(endless, max_bytes=100_000, row_limit=200_000)
    assert large.problem.code == "database.too_large"
    cut = await typed.query("SELECT generate_series(1, 100000000) AS n", row_limit=70)
    assert cut.cut and len(cut.rows) == 70


async def test_a_database_without_an_encoding_gives_text_or_says_where_it_is_none(
    target: Target, servers: Servers, settings: Settings
) -> None:
    target.sql(
        "CREATE DATABASE plain TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    try:
        made = target.made
        (view,) = await made.services.connections.list(made.first)
        await made.services.connections.create(
            made.first, "plain", "postgresql", {**view.settings, "database": "plain"}, secret="x"
        )
        found = await target.query("SELECT 'grüß' AS it", connection="plain")
        assert found.rows == [{"it": "grüß"}]
        refused = await target.refusal(r"SELECT E'\xe4' AS it", connection="plain")
        assert refused.problem.code == "database.encoding"
        converted = r"SELECT convert_from(convert(E'\xe4'::text::bytea, 'LATIN1', 'UTF8'), 'UTF8') AS it"
        assert (await target.query(converted, connection="plain")).rows == [{"it": "ä"}]
    finally:
        servers.drop_database("plain")


async def test_a_table_keeps_columns_and_types_also_without_rows(typed: Target, tmp_path: Path) -> None:
    typed.sql(
        "CREATE TABLE sold (id int8, price numeric(10, 2), share float8, done bool, tags jsonb, on_day date)"
    )
    typed.sql("""INSERT INTO sold VALUES (1, 5, 1.5, true, '{"a": 1}', '2024-03-01')""")

    async def read(where: str) -> Table:
        statement = f"SELECT *, sum(price) OVER () AS total, ARRAY[id] AS ids FROM sold WHERE {where}"
        context = FakeContext(tmp_path, FolderArtifacts(tmp_path), FakeHttp())
        access = typed.made.engine.databases.of(typed.made.first.organization_id)
        with patch.object(FakeContext, "databases", access):
            parameters = QueryParameters(connection="warehouse", statement=statement)
            return read_table(context, await DatabaseQuery().run(context, parameters, {}))

    one, none = await read("true"), await read("false")
    assert one.rows() == [
        {"id": 1, "price": Decimal("5.00"), "share": 1.5, "done": True, "tags": {"a": 1}, "on_day": "2024-03-01",
         "total": Decimal("5.00"), "ids": [1]}
    ]  # fmt: skip
    assert one.types == none.types == {
        "id": "integer", "price": "decimal", "share": "number", "done": "boolean", "tags": "object",
        "on_day": "text", "total": "decimal", "ids": "list",
    }  # fmt: skip
    assert none.rows() == []


@pytest.mark.parametrize(
    ("expression", "kind", "cell"),
    [
        ("10::numeric ^ 37", "integer", 10**37),
        ("(10::numeric ^ 38)::numeric(50, 0)", "text", str(10**38)),
        ("(10::numeric ^ 37 + 0.25)::numeric(50, 2)", "text", f"{10**37}.25"),
        ("0.25::numeric(50, 38)", "decimal", Decimal("0.25")),
        ("9223372036854775808::numeric", "integer", 9223372036854775808),
    ],
)
async def test_numbers_that_no_table_holds_are_text(
    typed: Target, tmp_path: Path, expression: str, kind: str, cell: Any
) -> None:
    access = typed.made.engine.databases.of(typed.made.first.organization_id)
    context = FakeContext(tmp_path, FolderArtifacts(tmp_path), FakeHttp())
    with patch.object(FakeContext, "databases", access):
        parameters = QueryParameters(connection="warehouse", statement=f"SELECT {expression} AS it")
        table = read_table(context, await DatabaseQuery().run(context, parameters, {}))
    assert (table.types, table.rows()) == ({"it": kind}, [{"it": cell}])
