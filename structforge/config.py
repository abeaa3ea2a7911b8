"""Every environment variable the program knows, parsed and range-checked once.

Invariant: nothing else in the package reads `os.environ`. Anyone may import this module; entry points and
`wiring` build one `Settings` and pass it on. A field's description is its documentation: `docs/settings.md`
is generated from it, and a test fails when the two differ.
"""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.faults import fault_sentence

KIB = 1024
MIB = 1024 * KIB

# A unix socket's path is at most 107 bytes on Linux and 103 on macOS, with PostgreSQL's file name in it.
SOCKET_PATH_MAX_BYTES = 103
POSTGRES_SOCKET_NAME = ".s.PGSQL.5432"


class DatabaseRole(StrEnum):
    """The three roles of the database; each value is the role's name on the server."""

    OWNER = "structforge_owner"
    APP = "structforge_app"
    ENGINE = "structforge_engine"


class LogLevel(StrEnum):
    """How much the logs tell."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Settings(BaseSettings):
    """The configuration of one process. Units are in the names.

    Raises:
        InvalidError: from `load_settings`, with one problem for each variable that is wrong.
    """

    model_config = SettingsConfigDict(env_prefix="STRUCTFORGE_", frozen=True, extra="ignore")

    # Where things are.
    home: Path = Field(
        default=Path(".structforge"),
        description="Folder of all state of a one-machine installation: data, artifacts, keys, logs.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL to use, as a role that may create roles and tables "
        "(`postgresql://user:password@host/database`). Unset: the embedded PostgreSQL in the home folder.",
    )
    database_app_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_APP_URL",
        description="Connection of the row-level-secured role. Unset: derived from `DATABASE_URL`.",
    )
    database_engine_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_ENGINE_URL",
        description="Connection of the engine's role. Unset: derived from `DATABASE_URL`.",
    )
    database_role_password: SecretStr | None = Field(
        default=None,
        description="Password that migrations give the app and engine roles and derived connections use. "
        "Unset: derived from the password in `DATABASE_URL`, if it has one.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        validation_alias="REDIS_URL",
        description="Redis to use (`redis://host:6379/0`). Unset: the embedded Redis in the home folder.",
    )

    secret_key: SecretStr | None = Field(
        default=None,
        description="Master keys as `id:key`, the active one first, separated by commas "
        "(`structforge keys generate`). Unset: `secret.key` in the home folder, made at first use.",
    )

    # The web process.
    host: str = Field(default="127.0.0.1", description="Address the web process listens on.")
    port: int = Field(
        default=8440,
        ge=1,
        le=65535,
        description="Port the web process listens on. `structforge up` moves to a free one when it is taken.",
    )
    public_url: str | None = Field(
        default=None,
        description="Address people reach the web app at, where that is not `http://host:port`.",
    )
    request_body_max_bytes: int = Field(
        default=4 * MIB, ge=KIB, le=1024 * MIB, description="Largest body of an API request; beyond it 413."
    )
    sync_run_limit_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="How long a synchronous start waits for its result before it answers 202 and the id.",
    )
    access_token_ttl_s: int = Field(
        default=900, ge=60, le=86_400, description="How long an access token is good for."
    )
    refresh_token_ttl_s: int = Field(
        default=30 * 86_400, ge=3_600, le=365 * 86_400, description="How long a refresh token is good for."
    )
    admin_email: str = Field(
        default="admin@structforge.local",
        description="E-mail address of the administrator that the first `structforge up` creates.",
    )
    admin_password: SecretStr | None = Field(
        default=None,
        description="Password of that administrator. Unset: generated, printed once.",
    )

    # Running workflows.
    worker_slots: int = Field(
        default=64, ge=1, le=10_000, description="How many runs one worker process has in hand at a time."
    )
    worker_processes: int = Field(
        default=1, ge=0, le=64, description="How many worker processes `structforge up` starts."
    )
    lease_s: float = Field(
        default=10.0,
        ge=0.5,
        le=300,
        description="How long a worker's claim on a run holds without renewal (renewed every third of it).",
    )
    redispatch_after_s: float = Field(
        default=3.0,
        ge=0.1,
        le=300,
        description="How long the dispatcher leaves an unclaimed run alone after it rang for it.",
    )
    call_depth_max: int = Field(
        default=10,
        ge=1,
        le=100,
        description="How deep workflows may call each other: a run started by a person is at depth 0.",
    )
    inline_value_max_bytes: int = Field(
        default=64 * KIB,
        ge=KIB,
        le=MIB,
        description="Largest JSON value that travels on an edge itself; a larger one becomes an artifact.",
    )
    read_values_max: int = Field(
        default=10_000_000,
        ge=10_000,
        le=1_000_000_000,
        description="Most values (cells of tables, 16 bytes of JSON each) one step reads into memory for its "
        "expressions.",
    )
    file_max_bytes: int = Field(
        default=256 * MIB,
        ge=KIB,
        le=64 * 1024 * MIB,
        description="Largest file a workflow may read or write.",
    )
    files_root: Path | None = Field(
        default=None,
        description="Folder that file nodes may read from and write to. Unset: `files` in the home folder.",
    )
    outbound_allow_hosts: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(),
        description="Private hosts that HTTP nodes may reach all the same, separated by commas.",
    )
    database_pool_size: int = Field(
        default=10, ge=1, le=500, description="Database connections a process keeps at most, per role."
    )
    blocking_processes: int = Field(
        default=2,
        ge=1,
        le=128,
        description="Processes of one worker in which tables, parsing and files are worked on.",
    )
    drain_s: float = Field(
        default=60.0,
        ge=0,
        le=3_600,
        description="How long the steps in flight may take to end when a worker is asked to stop.",
    )
    step_retention_days: int = Field(
        default=30,
        ge=1,
        le=3_650,
        description="How many days after its end a run's steps, logs and events are kept.",
    )
    run_retention_days: int = Field(
        default=90,
        ge=1,
        le=3_650,
        description="How many days after its end a run itself (input, output, status) is kept, and an artifact after "
        "its last use; never less than `STRUCTFORGE_STEP_RETENTION_DAYS`.",
    )
    crash_at: str | None = Field(
        default=None, description="For crash tests: the named point at which the process kills itself."
    )
    crash_after: int = Field(
        default=0, ge=0, description="For crash tests: how often it passes that point before it does."
    )

    stop_grace_s: float = Field(
        default=12.0,
        ge=0.1,
        le=600,
        description="How long a process that is asked to stop may take to end what it has in hand.",
    )
    lifeline_fd: int | None = Field(
        default=None,
        ge=3,
        description="Set by `structforge up` for what it starts: the pipe whose end tells that it is gone.",
    )

    # Telling.
    log_level: LogLevel = Field(default=LogLevel.INFO, description="`debug`, `info`, `warning` or `error`.")

    @field_validator("home", "files_root")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else Path(os.path.abspath(value.expanduser()))

    @field_validator("outbound_allow_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(part.strip().lower() for part in value.split(",") if part.strip())
        return value

    @field_validator("database_url", "database_app_url", "database_engine_url")
    @classmethod
    def _postgres_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if urlsplit(value.get_secret_value()).scheme not in ("postgresql", "postgres"):
            raise ValueError("must start with postgresql://")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        if urlsplit(value.get_secret_value()).scheme not in ("redis", "rediss", "unix"):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return value

    @property
    def embedded_postgres(self) -> bool:
        """Say whether PostgreSQL is the one in the home folder."""
        return self.database_url is None

    @property
    def embedded_redis(self) -> bool:
        """Say whether Redis is the one in the home folder."""
        return self.redis_url is None

    @property
    def artifacts_dir(self) -> Path:
        """Where content-addressed artifacts are stored."""
        return self.home / "artifacts"

    @property
    def files_dir(self) -> Path:
        """Where file nodes read and write."""
        return self.files_root or self.home / "files"

    @property
    def logs_dir(self) -> Path:
        """Where each process of `structforge up` writes its log."""
        return self.home / "logs"

    @property
    def run_dir(self) -> Path:
        """Where the supervisor keeps its lock, state and process ids."""
        return self.home / "run"

    @property
    def bundle_dir(self) -> Path:
        """Where the built web app is kept."""
        return self.home / "web"

    @property
    def postgres_dir(self) -> Path:
        """Where the embedded PostgreSQL keeps its data."""
        return self.home / "postgres"

    @property
    def redis_dir(self) -> Path:
        """Where the embedded Redis keeps its data."""
        return self.home / "redis"

    @property
    def socket_dir(self) -> Path:
        """Folder of the embedded servers' unix sockets: in the home folder unless its path is too long."""
        inside = self.home / "sockets"
        if len(os.fsencode(inside / POSTGRES_SOCKET_NAME)) <= SOCKET_PATH_MAX_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"structforge-{os.getuid()}-{digest}"

    def database_role_url(self, role: DatabaseRole) -> str:
        """Return the libpq URL of one role, e.g. `postgresql://structforge_app:…@host/database`."""
        if role is DatabaseRole.APP and self.database_app_url is not None:
            return self.database_app_url.get_secret_value()
        if role is DatabaseRole.ENGINE and self.database_engine_url is not None:
            return self.database_engine_url.get_secret_value()
        if self.database_url is None:
            # Only this user can enter the socket's folder, so the embedded server asks for no password.
            return f"postgresql://{role.value}@/structforge?host={quote(str(self.socket_dir), safe='')}"
        base = self.database_url.get_secret_value()
        return base if role is DatabaseRole.OWNER else _with_role(base, role, self.role_password(role))

    @property
    def database_owner_url(self) -> str:
        """Connection for migrations, as a libpq URL."""
        return self.database_role_url(DatabaseRole.OWNER)

    @property
    def database_app_role_url(self) -> str:
        """Connection under row-level security, as a libpq URL."""
        return self.database_role_url(DatabaseRole.APP)

    @property
    def database_engine_role_url(self) -> str:
        """Connection of workers and dispatchers, as a libpq URL."""
        return self.database_role_url(DatabaseRole.ENGINE)

    def role_password(self, role: DatabaseRole) -> str | None:
        """Return the password that migrations set for an app or engine role; None where none is needed."""
        if self.database_role_password is not None:
            return self.database_role_password.get_secret_value()
        if self.database_url is None:
            return None
        password = urlsplit(self.database_url.get_secret_value()).password
        if password is None:
            return None
        return hashlib.sha256(f"structforge:{role.value}:{password}".encode()).hexdigest()

    @property
    def redis_server_url(self) -> str:
        """Redis, as a URL that redis-py reads."""
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        return f"unix://{quote(str(self.socket_dir / 'redis.sock'))}"

    @property
    def local_url(self) -> str:
        """Address of the web process for a program on this machine, without a closing slash."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def web_url(self) -> str:
        """Address to open in a browser, without a closing slash."""
        return self.local_url if self.public_url is None else self.public_url.rstrip("/")


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One row of docs/settings.md."""

    variable: str
    default: str
    limits: str
    description: str


def load_settings(**overrides: Any) -> Settings:
    """Read the environment; `overrides` are field values that win over it.

    Raises:
        InvalidError: one problem per variable that does not parse or is out of range.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        variables = {name: _variable(name) for name in Settings.model_fields}
        problems = []
        for fault in error.errors(include_input=False, include_url=False):
            name = str(fault["loc"][0])
            variable = variables.get(name, name)
            hint = "docs/settings.md lists what it may be."
            problems.append(
                Problem(
                    "settings.invalid",
                    sentence("{variable}: {msg}.", variable=variable, msg=fault_sentence(fault)),
                    where=variable,
                    hint=hint,
                )
            )
        raise InvalidError(*problems) from None


def describe_settings() -> list[SettingDoc]:
    """List every setting in declaration order."""
    rows = []
    for name, field in Settings.model_fields.items():
        limits = []
        for rule in field.metadata:
            for sign, attribute in ((">", "gt"), ("≥", "ge"), ("<", "lt"), ("≤", "le")):
                bound = getattr(rule, attribute, None)
                if bound is not None:
                    limits.append(f"{sign} {bound}")
        default = field.default
        if isinstance(default, frozenset):
            default = ",".join(sorted(default)) or None
        rows.append(
            SettingDoc(
                variable=_variable(name),
                default="unset" if default is None else str(default),
                limits=", ".join(limits),
                description=field.description or "",
            )
        )
    return rows


def settings_markdown() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Every environment variable, read once at start (`structforge/config.py`). This page is generated:",
        "`structforge settings --markdown > docs/settings.md`.",
        "",
        "| variable | default | limits | what it does |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{row.variable}` | `{row.default}` | {row.limits} | {row.description} |"
        for row in describe_settings()
    ]
    return "\n".join(lines) + "\n"


def child_environment(**values: str) -> dict[str, str]:
    """Return this process's environment with `values` on top, for a process to be started."""
    return {**os.environ, **values}


def _variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else f"STRUCTFORGE_{name.upper()}"


def _with_role(url: str, role: DatabaseRole, password: str | None) -> str:
    parts = urlsplit(url)
    user = quote(role.value, safe="")
    credentials = user if password is None else f"{user}:{quote(password, safe='')}"
    _, _, address = parts.netloc.rpartition("@")
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query) if k not in ("user", "password")])
    return urlunsplit((parts.scheme, f"{credentials}@{address}", parts.path, query, ""))
