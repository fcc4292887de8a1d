"""Bring a database to the checkout's state: platform stand-ins, migrations, the service's secrets.

Stand-ins (sql/platform) run here as the superuser; migrations are applied by the official CLI.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rowcast.errors import RowcastError
from rowcast.stack import install, paths, postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

PLATFORM = paths.CHECKOUT / "sql/platform"
MIGRATIONS = paths.CHECKOUT / "supabase/migrations"
SEED = paths.CHECKOUT / "supabase/seed.sql"

# Login roles of the platform; the stand-ins create them without a password.
LOGIN_ROLES = (
    "postgres",
    "authenticator",
    "supabase_auth_admin",
    "supabase_storage_admin",
    "dashboard_user",
)


# Lines of the CLI that are about neither a migration nor its failure.
_NOISE = re.compile(r"auth\.email\.enable_signup is deprecated|Skipping migration CHECKSUMS")

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def platform_hash() -> str:
    """Changes whenever a stand-in changes."""
    return _hash(sorted(PLATFORM.rglob("*.sql")))


def run_platform_sql(connection: Connection, stage: str) -> None:
    """Run sql/platform/<stage>/*.sql in name order, each file in one transaction."""
    import psycopg

    for file in sorted((PLATFORM / stage).glob("*.sql")):
        try:
            connection.execute(file.read_bytes(), prepare=False)
        except psycopg.Error as error:
            where = file.relative_to(paths.CHECKOUT)
            raise RowcastError(
                f"{where} failed: {error}", "details: ./rowcast logs postgres"
            ) from error


def set_login_passwords(connection: Connection, password: str) -> None:
    """Give the platform's login roles the stack's password."""
    found = connection.execute(
        "select rolname from pg_catalog.pg_roles where rolname = any (%s)", [list(LOGIN_ROLES)]
    ).fetchall()
    for (role,) in found:
        postgres.set_password(connection, role, password)


def migration_hashes() -> dict[str, str]:
    """Version → hash of every migration file, and of the seed, under keys for State.applied."""
    found = {f"migration {_version(file)}": _hash([file]) for file in migration_files()}
    if SEED.exists():
        found["seed"] = _hash([SEED])
    return found


def migration_files() -> list[Path]:
    """The migrations in the order they are applied."""
    return sorted(MIGRATIONS.glob("[0-9]*_*.sql"))


def migrate(
    url: str, applied: dict[str, str], log: Path, warn: Callable[[str], None], seed: bool = True
) -> None:
    """Apply what is missing with the Supabase CLI; does nothing when the database has it all.

    `applied` is the record of earlier runs (State.applied) and is brought up to date.
    """
    wanted = migration_hashes()
    versions = {key.removeprefix("migration ") for key in wanted if key != "seed"}
    if not versions:
        return
    present = _applied_versions(url)
    for key, value in wanted.items():
        if key.removeprefix("migration ") in present and applied.get(key, value) != value:
            warn(f"{key} was edited after it was applied here: `./rowcast reset` applies it anew")
    seed_is_current = not seed or applied.get("seed") == wanted.get("seed")
    if present != versions or not seed_is_current:
        push(url, log, seed)
    for key in [key for key in applied if key == "seed" or key.startswith("migration ")]:
        del applied[key]
    applied.update(wanted)


def push(url: str, log: Path, seed: bool = True) -> None:
    """`supabase db push`; seed data is for databases of a developer's own."""
    done = run_cli(["db", "push", "--yes", *(["--include-seed"] if seed else [])], url)
    log.write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        raise push_error(done.stdout + done.stderr, log, seed)


def push_error(output: str, log: Path, seed: bool) -> RowcastError:
    """What a failed push says, less its noise; `seed` as in `push`."""
    lines = [line for line in output.splitlines() if line.strip() and not _NOISE.search(line)]
    hint = f"whole output: {log}"
    if "Remote migration versions not found" in output:
        hint = "a migration that was applied is gone from supabase/migrations: bring it back"
        if seed:
            hint += ", or ./rowcast reset"
    shown = "\n".join(lines[-15:])
    return RowcastError(f"the migrations could not be applied:\n{shown}", hint)


def run_cli(arguments: list[str], remote: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the Supabase CLI in the checkout, without telemetry or questions.

    `remote` is the URL of the database it works on; on the loopback interface TLS is off, unless
    the URL says otherwise.
    """
    environment = {**os.environ, "DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1"}
    if remote is not None:
        # Every account of the machine may read an argument list, only ours the environment.
        target, environment["PGPASSWORD"] = _split_password(remote)
        if "sslmode=" not in target and urlsplit(remote).hostname in _LOOPBACK:
            target += ("&" if "?" in target else "?") + "sslmode=disable"
        arguments = [*arguments, f"--remote={target}"]
    return subprocess.run(
        [*install.supabase_command(), *arguments],
        cwd=paths.CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _split_password(url: str) -> tuple[str, str]:
    """The URL less its password, wherever libpq lets one stand, and the password."""
    from psycopg.conninfo import conninfo_to_dict

    password = conninfo_to_dict(url).get("password") or os.environ.get("PGPASSWORD", "")
    url = re.sub(r"^(\w+://[^:@/]*):[^@/]*@", r"\1@", url)
    return re.sub(r"(?<=[?&])password=[^&]*&?", "", url), str(password)


def prepare_service(connection: Connection, password: str, vault: Mapping[str, str]) -> str | None:
    """Let the service log in, and put what the database needs to call it into the Vault.

    Returns a warning when the migrations have not made the service's role.
    """
    for name, value in vault.items():
        _keep_secret(connection, name, value)
    role = connection.execute(
        "select 1 from pg_catalog.pg_roles where rolname = 'rowcast_service'"
    ).fetchone()
    if role is None:
        return "no migration makes the role rowcast_service: the service cannot log in"
    postgres.set_password(connection, "rowcast_service", password)
    return None


def _keep_secret(connection: Connection, name: str, value: str) -> None:
    found = connection.execute(
        "select id, decrypted_secret from vault.decrypted_secrets where name = %s", [name]
    ).fetchone()
    if found is None:
        connection.execute("select vault.create_secret(%s, %s)", [value, name])
    elif found[1] != value:
        connection.execute("select vault.update_secret(%s, %s)", [found[0], value])


def _applied_versions(url: str) -> set[str]:
    with postgres.connect(url) as connection:
        known = connection.execute(
            "select to_regclass('supabase_migrations.schema_migrations') is not null"
        ).fetchone()
        if known is None or not known[0]:
            return set()
        rows = connection.execute(
            "select version from supabase_migrations.schema_migrations"
        ).fetchall()
    return {row[0] for row in rows}


def _version(file: Path) -> str:
    return file.name.split("_", 1)[0]


def _hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
