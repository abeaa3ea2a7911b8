"""The types of a database: the usual ones by their numbers, the others as the server's catalogue says.

Invariant: a domain is the type it is made of; a type that nobody knows is text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from psycopg import AsyncConnection


class Kind(Enum):
    """How values of a type are written and read."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMERIC = "numeric"
    MONEY = "money"
    FLOAT = "float"
    TEXT = "text"
    JSON = "json"
    BYTES = "bytes"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMP_TZ = "timestamptz"
    TIME = "time"
    INTERVAL = "interval"
    ARRAY = "array"
    VECTOR = "vector"
    HSTORE = "hstore"
    COMPOSITE = "composite"
    RECORD = "record"
    VOID = "void"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class PgType:
    """A type of the database."""

    name: str
    """As people write it: `integer`, `text[]`."""
    kind: Kind
    element: int = 0
    """The type of an array's elements."""
    delimiter: str = ","
    fields: tuple[tuple[str, int], ...] = ()
    """Names and types of a composite type's fields."""


TEXT, BOOLEAN, INT4, INT8, NUMERIC, JSONB = 25, 16, 23, 20, 1700, 3802
INTEGERS = frozenset({20, 21, 23})
ARRAYS = {TEXT: 1009, BOOLEAN: 1000, INT4: 1007, INT8: 1016, NUMERIC: 1231, JSONB: 3807}

_SCALARS: dict[int, tuple[str, Kind, int]] = {
    16: ("boolean", Kind.BOOLEAN, 1000),
    17: ("bytea", Kind.BYTES, 1001),
    18: ('"char"', Kind.TEXT, 1002),
    19: ("name", Kind.TEXT, 1003),
    20: ("bigint", Kind.INTEGER, 1016),
    21: ("smallint", Kind.INTEGER, 1005),
    23: ("integer", Kind.INTEGER, 1007),
    25: ("text", Kind.TEXT, 1009),
    26: ("oid", Kind.INTEGER, 1028),
    28: ("xid", Kind.INTEGER, 1011),
    29: ("cid", Kind.INTEGER, 1012),
    114: ("json", Kind.JSON, 199),
    142: ("xml", Kind.OTHER, 143),
    700: ("real", Kind.FLOAT, 1021),
    701: ("double precision", Kind.FLOAT, 1022),
    705: ("text", Kind.TEXT, 0),
    790: ("money", Kind.MONEY, 791),
    869: ("inet", Kind.OTHER, 1041),
    1042: ("character", Kind.TEXT, 1014),
    1043: ("character varying", Kind.TEXT, 1015),
    1082: ("date", Kind.DATE, 1182),
    1083: ("time", Kind.TIME, 1183),
    1114: ("timestamp", Kind.TIMESTAMP, 1115),
    1184: ("timestamptz", Kind.TIMESTAMP_TZ, 1185),
    1186: ("interval", Kind.INTERVAL, 1187),
    1266: ("timetz", Kind.TIME, 1270),
    1700: ("numeric", Kind.NUMERIC, 1231),
    2249: ("record", Kind.RECORD, 2287),
    2278: ("void", Kind.VOID, 0),
    2950: ("uuid", Kind.OTHER, 2951),
    3802: ("jsonb", Kind.JSON, 3807),
    5069: ("xid8", Kind.INTEGER, 271),
}
_KNOWN: dict[int, PgType] = {
    22: PgType("int2vector", Kind.VECTOR),
    30: PgType("oidvector", Kind.VECTOR),
    **{oid: PgType(name, kind) for oid, (name, kind, _) in _SCALARS.items()},
    **{array: PgType(f"{name}[]", Kind.ARRAY, oid) for oid, (name, _, array) in _SCALARS.items() if array},
}
_UNKNOWN = PgType("text", Kind.OTHER)

_LOOK_UP = """
SELECT t.oid::int8, t.typname, t.typtype, t.typcategory, t.typelem::int8, t.typbasetype::int8, t.typdelim,
    (SELECT json_agg(json_build_array(a.attname, a.atttypid::int8) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped AND t.typtype = 'c')
FROM pg_catalog.pg_type AS t WHERE t.oid = ANY(%s::oid[])
"""


class Types:
    """The types that a statement uses, as far as they were looked up."""

    def __init__(self) -> None:
        self._found: dict[int, PgType] = {}
        self._bases: dict[int, int] = {}

    def of(self, oid: int) -> PgType:
        """Return a type; a domain is the type it is made of."""
        for _ in range(20):
            if oid not in self._bases:
                break
            oid = self._bases[oid]
        return _KNOWN.get(oid) or self._found.get(oid) or _UNKNOWN

    def unknown(self, oids: Iterable[int]) -> set[int]:
        """Return those that have to be looked up."""
        return {
            oid
            for oid in oids
            if oid and oid not in _KNOWN and oid not in self._found and oid not in self._bases
        }

    async def look_up(self, connection: AsyncConnection[Any], oids: Iterable[int]) -> bool:
        """Look up unknown types with all they are made of; tell whether there were any."""
        wanted = self.unknown(oids)
        looked = bool(wanted)
        while wanted:
            cursor = await connection.execute(_LOOK_UP, (list(wanted),))
            rows = await cursor.fetchall()
            below: set[int] = set()
            for oid, name, form, category, element, base, delimiter, fields in rows:
                if form == "d":
                    self._bases[oid] = base
                    below.add(base)
                    continue
                self._found[oid] = _described(name, form, category, element, delimiter, fields)
                below.add(self._found[oid].element)
                below.update(each for _, each in self._found[oid].fields)
            for oid in wanted - {row[0] for row in rows}:
                self._found[oid] = _UNKNOWN
            wanted = self.unknown(below)
        return looked


def _described(
    name: str, form: str, category: str, element: int, delimiter: str, fields: list[list[Any]] | None
) -> PgType:
    if category == "A" and element:
        return PgType(f"{name.removeprefix('_')}[]", Kind.ARRAY, element, delimiter)
    if form == "c":
        return PgType(name, Kind.COMPOSITE, fields=tuple((field, oid) for field, oid in fields or ()))
    if name == "hstore":
        return PgType(name, Kind.HSTORE)
    if form == "e" or category == "S":
        return PgType(name, Kind.TEXT)
    return PgType(name, Kind.OTHER)
