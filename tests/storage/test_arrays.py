"""Array literals: whatever goes in comes out of PostgreSQL unchanged."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from structforge.storage.arrays import literal
from tests.support.servers import Servers

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")) | st.sampled_from(
    ["", "NULL", "null", "{}", '"', "\\", '{"a": "\\u0041\\n"}', "a,b", " ", "\n", "{1,2}"]
)
COLUMNS = {
    "text": TEXT,
    "uuid": st.uuids(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "bool": st.booleans(),
    "timestamptz": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
    "date": st.dates(),
}


@pytest.fixture(scope="module")
def connection(servers: Servers) -> Iterator[psycopg.Connection[Any]]:
    url = servers.postgres.url(database="postgres")
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as opened:
        yield opened


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_comes_back_as_it_went_in(connection: psycopg.Connection[Any], kind: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.none() | COLUMNS[kind], max_size=8))
    def round_trip(values: list[Any]) -> None:
        statement = f"SELECT value FROM unnest(%(column)s::{kind}[]) WITH ORDINALITY u(value, n) ORDER BY n"
        rows = connection.execute(statement.encode(), {"column": literal(values)}).fetchall()
        assert [row[0] for row in rows] == values

    round_trip()


def test_all_columns_of_a_statement_at_once() -> None:
    columns = {"a": [], "b": [None, None], "c": [True, None], "d": [date(2026, 1, 2)], "e": ['x"y']}
    assert {name: literal(values) for name, values in columns.items()} == {
        "a": "{}",
        "b": "{NULL,NULL}",
        "c": "{t,NULL}",
        "d": "{2026-01-02}",
        "e": '{"x\\"y"}',
    }


def test_a_type_without_a_literal_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        literal([b"x"])
