"""Settings: defaults, limits, derived connections, and docs/settings.md."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from structforge.config import (
    DatabaseRole,
    Settings,
    describe_settings,
    load_settings,
    settings_markdown,
)
from structforge.domain.errors import InvalidError
from tests.support.programs import ROOT


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in describe_settings():
        monkeypatch.delenv(row.variable, raising=False)


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == settings_markdown()


def test_every_setting_is_described() -> None:
    assert [row.variable for row in describe_settings() if not row.description] == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STRUCTFORGE_PORT", "0"),
        ("STRUCTFORGE_PORT", "65536"),
        ("STRUCTFORGE_PORT", "http"),
        ("STRUCTFORGE_LEASE_S", "0"),
        ("STRUCTFORGE_INLINE_VALUE_MAX_BYTES", "-1"),
        ("STRUCTFORGE_LOG_LEVEL", "loud"),
        ("DATABASE_URL", "mysql://host/database"),
        ("REDIS_URL", "http://host"),
    ],
)
def test_a_bad_value_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidError) as caught:
        load_settings()
    assert [(p.code, p.where) for p in caught.value.problems] == [("settings.invalid", variable)]
    assert value == "0" or value not in caught.value.problems[0].message


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRUCTFORGE_PORT", "x")
    monkeypatch.setenv("REDIS_URL", "x")
    with pytest.raises(InvalidError) as caught:
        load_settings()
    assert {p.where for p in caught.value.problems} == {"STRUCTFORGE_PORT", "REDIS_URL"}


def test_without_urls_everything_is_in_the_home_folder(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    facts = conninfo_to_dict(settings.database_app_role_url)
    assert facts == {"user": "structforge_app", "dbname": "structforge", "host": str(settings.socket_dir)}
    assert (settings.embedded_postgres, settings.embedded_redis) == (True, True)
    assert settings.redis_server_url == f"unix://{settings.socket_dir}/redis.sock"


def test_a_home_folder_too_deep_for_a_socket_gets_a_short_one(tmp_path: Path) -> None:
    shallow, deep = load_settings(home=Path("/x")), load_settings(home=Path("/", *["folder"] * 20))
    assert shallow.socket_dir == Path("/x/sockets")
    assert len(str(deep.socket_dir / ".s.PGSQL.5432")) <= 103
    assert deep.socket_dir != load_settings(home=Path("/", *["folder"] * 21)).socket_dir


def test_role_connections_are_derived_from_the_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://boss:p%40ss@db.example:6543/flows?sslmode=require")
    settings = load_settings()
    owner = conninfo_to_dict(settings.database_owner_url)
    app, engine = (
        conninfo_to_dict(settings.database_role_url(r)) for r in (DatabaseRole.APP, DatabaseRole.ENGINE)
    )
    place = {"host": "db.example", "port": "6543", "dbname": "flows", "sslmode": "require"}
    assert owner == {**place, "user": "boss", "password": "p@ss"}
    assert app == {**place, "user": "structforge_app", "password": settings.role_password(DatabaseRole.APP)}
    assert engine["password"] == settings.role_password(DatabaseRole.ENGINE)
    assert len({owner["password"], app["password"], engine["password"]}) == 3


def test_role_connections_may_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://boss:secret@db/flows")
    monkeypatch.setenv("DATABASE_ENGINE_URL", "postgresql://engine@pool/flows")
    settings = load_settings()
    assert settings.database_engine_role_url == "postgresql://engine@pool/flows"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://boss:hidden-word@db/flows")
    assert "hidden-word" not in repr(load_settings())


def test_an_empty_url_means_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("REDIS_URL", "")
    settings = load_settings()
    assert (settings.embedded_postgres, settings.embedded_redis) == (True, True)


def test_nothing_else_reads_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "structforge").rglob("*.py"))
        if "os.environ" in (text := path.read_text()) or "os.getenv" in text
    ]
    assert readers == ["structforge/config.py"]


def test_fields_are_frozen() -> None:
    assert Settings.model_config["frozen"] is True
