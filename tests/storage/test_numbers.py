"""Numbers through a real PostgreSQL: `json` and `jsonb` give every digit back, by psycopg and by SQLAlchemy."""

from decimal import Decimal
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import set_json_loads

from structforge.domain.numbers import exact
from structforge.domain.values import decode_json, encode_json, plain_json, same_value

NUMBERS = (
    st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(), st.integers(-50, 50))
)
VALUES = st.recursive(
    NUMBERS | st.booleans() | st.none(),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.sampled_from("abc"), children, max_size=3)
    ),
    max_leaves=10,
)


def test_json_and_jsonb_keep_every_digit(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        set_json_loads(plain_json, connection)

        @settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(VALUES)
        def holds(value: Any) -> None:
            text = encode_json(value).decode()
            row = connection.execute(
                "SELECT %(text)s::jsonb, %(text)s::json, %(text)s::jsonb::text", {"text": text}
            ).fetchone()
            assert row is not None
            assert same_value(row[0], value) and same_value(row[1], value)
            assert same_value(decode_json(row[2].encode(), max_bytes=10**6), value)

        holds()


def test_a_number_of_postgresql_is_the_number_of_the_value(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:

        @settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(NUMBERS)
        def holds(value: Any) -> None:
            text = encode_json([value]).decode()
            row = connection.execute("SELECT (%s::jsonb ->> 0)::numeric", [text]).fetchone()
            assert row is not None and row[0] == exact(value)

        holds()
