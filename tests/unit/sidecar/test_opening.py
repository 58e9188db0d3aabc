"""Which database, election, tasks and cache the settings lead to."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import ConfigInvalid, DatabaseUnreachable
from ocw_sidecar.adapters import opening
from ocw_sidecar.adapters.alone import AlwaysLeads, LocalTasks
from ocw_sidecar.adapters.postgres import PostgresDatabase
from ocw_sidecar.adapters.postgres.election import PostgresElection
from ocw_sidecar.adapters.postgres.tasks import PostgresTasks
from ocw_sidecar.adapters.redis import RedisCache
from ocw_sidecar.adapters.sqlite import SqliteDatabase
from ocw_sidecar.pipeline.shared_spool import SharedSpool
from ocw_sidecar.pipeline.spool import Spool
from ocw_sidecar.settings import Settings
from ocw_sidecar.settings.database import DatabaseSettings
from ocw_sidecar.settings.redis import RedisSettings
from ocw_sidecar.testing import OPERATOR, ORGANISATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from tests.postgres_server import PostgresServer

SECRET = "canary-9d2f"
PAGE = Path(__file__).resolve().parents[3] / "docs/reference/database.md"


@pytest.fixture
def name(postgres_server: PostgresServer) -> Iterator[str]:
    """An empty database on the server."""
    made = postgres_server.create_database()
    yield made
    postgres_server.drop_database(made)


async def _open_database(settings: Settings) -> None:
    async with opening.open_database(settings):
        pass


async def _open_cache(settings: Settings) -> None:
    assert opening.open_cache(settings, bytes(32)) is None


#: What opens what a package is needed for.
OPENERS = {"psycopg": _open_database, "redis": _open_cache}


def load(home: Path, **parts: Any) -> Settings:
    """Return settings for a home folder."""
    return Settings.load(home=home, organisation=ORGANISATION, **parts)


async def test_default_is_one_file_and_one_process(tmp_path: Path) -> None:
    """Without settings nothing needs to be installed or reached."""
    settings = load(tmp_path / "home")
    async with opening.open_database(settings) as database:
        assert isinstance(database, SqliteDatabase)
        assert database.sole
        assert type(opening.open_spool(settings, database)) is Spool
    assert isinstance(opening.open_election(settings, OPERATOR), AlwaysLeads)
    async with opening.open_tasks(settings) as tasks:
        assert isinstance(tasks, LocalTasks)
    assert opening.open_cache(settings, bytes(32)) is None


async def test_url_selects_postgresql(tmp_path: Path, postgres_server: PostgresServer, name: str) -> None:
    """One setting takes everything that several processes share to the server."""
    settings = load(tmp_path, database={"url": postgres_server.url(name)})
    async with opening.open_database(settings) as database:
        assert isinstance(database, PostgresDatabase)
        assert not database.sole
        assert isinstance(opening.open_spool(settings, database), SharedSpool)
    assert isinstance(opening.open_election(settings, OPERATOR), PostgresElection)
    async with opening.open_tasks(settings) as tasks:
        assert isinstance(tasks, PostgresTasks)


async def test_password_may_lie_in_a_file(tmp_path: Path, postgres_server: PostgresServer, name: str) -> None:
    """The URL need not hold the password; a file that is not there is named."""
    url = postgres_server.url(name).replace(f":{postgres_server.password}", "")
    file = tmp_path / "password"
    settings = load(tmp_path, database={"url": url, "password_file": file})
    with pytest.raises(ConfigInvalid, match=str(file)):
        async with opening.open_database(settings):
            pass
    file.write_text(postgres_server.password + "\n")
    async with opening.open_database(settings):
        pass


def test_url_with_redis_selects_redis(tmp_path: Path) -> None:
    """A URL alone does; nobody need be there."""
    cache = opening.open_cache(load(tmp_path, redis={"url": "redis://127.0.0.1:1/0"}), bytes(32))
    assert isinstance(cache, RedisCache)
    cache.close()


@pytest.mark.parametrize(
    ("missing", "part", "advice"),
    [
        ("psycopg", {"database": {"url": "postgresql:///x"}}, r"install `caregrid\[postgres\]`"),
        ("redis", {"redis": {"url": "redis://127.0.0.1"}}, r"install `caregrid\[redis\]`"),
    ],
)
async def test_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, part: dict[str, Any], advice: str
) -> None:
    """A setting that needs an extra says which one."""
    for module in [
        each for each in sys.modules if each.startswith(("ocw_sidecar.adapters.postgres", missing))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "ocw_sidecar.adapters.redis", raising=False)
    monkeypatch.delattr("ocw_sidecar.adapters.postgres", raising=False)
    monkeypatch.delattr("ocw_sidecar.adapters.redis", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    settings = load(tmp_path, **part)
    with pytest.raises(ConfigInvalid, match=advice):
        await OPENERS[missing](settings)


@pytest.mark.parametrize(
    ("part", "advice"),
    [
        ({"database": {"url": "mysql://db/x"}}, "postgresql://USER@HOST/NAME"),
        ({"database": {"url": "postgresql://host"}}, "postgresql://USER@HOST/NAME"),
        ({"database": {"url": f"postgresql://u:{SECRET}@db.example/x"}}, "sslmode=verify-full"),
        (
            {"database": {"url": f"postgresql://u:{SECRET}@db.example/x?sslmode=prefer"}},
            "sslmode=verify-full",
        ),
        ({"database": {"url": f"postgresql://u:{SECRET}@/x?host=db.example"}}, "sslmode=verify-full"),
        ({"database": {"writers": 0}}, "CAREGRID_DATABASE__WRITERS"),
        ({"redis": {"url": f"http://u:{SECRET}@cache"}}, "redis://HOST"),
    ],
)
def test_nonsense_is_refused_with_advice(tmp_path: Path, part: dict[str, Any], advice: str) -> None:
    """The message says what to change, and repeats no secret."""
    with pytest.raises(ConfigInvalid, match=advice) as caught:
        load(tmp_path, **part)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example/x?sslmode=verify-full",
        "postgres://u:p@127.0.0.1:5433/x",
        "postgresql:///x",
        "postgresql://%2Fvar%2Frun/x?host=/var/run",
    ],
)
def test_safe_urls_are_taken(tmp_path: Path, url: str) -> None:
    """Encrypted, or on this machine."""
    settings = load(tmp_path, database={"url": url})
    assert settings.database.url is not None
    assert url == settings.database.url.get_secret_value()


async def test_secrets_are_not_printed(tmp_path: Path) -> None:
    """Neither settings nor errors show a password."""
    settings = load(
        tmp_path, database={"url": f"postgresql://u:{SECRET}@127.0.0.1:1/x", "connect_timeout_s": 2}
    )
    assert SECRET not in repr(settings)
    with pytest.raises(DatabaseUnreachable) as caught:
        async with opening.open_database(settings):
            pass
    assert SECRET not in f"{caught.value!r}{caught.value.__cause__!r}"


def test_page_lists_every_setting() -> None:
    """`docs/reference/database.md` has each setting with its default, and no other."""
    rows = dict(re.findall(r"^\| `((?:database|redis)\.\w+)` \| ([^|]+) \|", PAGE.read_text(), re.MULTILINE))
    defaults = {
        f"{part}.{name}": field.default
        for part, kind in (("database", DatabaseSettings), ("redis", RedisSettings))
        for name, field in kind.model_fields.items()
    }
    assert defaults.keys() == rows.keys()
    for name, default in defaults.items():
        said = rows[name].partition(":")[0]
        expected = f"{default:g}" if isinstance(default, int | float) else str(default)
        assert said == {None: "none", False: "false"}.get(default, expected)
