"""The embedded cluster: made by initdb, owned by supabase_admin, reachable on 127.0.0.1 only."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from rowcast.errors import RowcastError
from rowcast.stack import install, paths

if TYPE_CHECKING:
    import psycopg

    from rowcast.stack.paths import Home
    from rowcast.stack.state import State

SUPERUSER = "supabase_admin"

# Durable like a production server: a local stack that loses acknowledged writes teaches nothing.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_level": "logical",
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}


def create_cluster(home: Home, state: State) -> bool:
    """Run initdb unless the data folder holds a finished cluster; True when it was made now."""
    finished = home.data / "rowcast-created"
    if finished.exists():
        return False
    if home.data.exists():  # an interrupted initdb, never a cluster that ran
        shutil.rmtree(home.data)
    home.data.mkdir(mode=0o700)
    _give_to_database_user(str(home.data))
    password_file = home.root / ".initdb-password"
    handle = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as output:
        output.write(state.database_password)
    _give_to_database_user(str(password_file))
    try:
        _initdb(home, str(password_file))
    finally:
        password_file.unlink(missing_ok=True)
    _write_settings(home)
    finished.touch()
    return True


def _initdb(home: Home, password_file: str) -> None:
    command = [str(install.postgres_binary("initdb")), "-D", str(home.data), "-U", SUPERUSER]
    command += ["--pwfile", password_file, "-A", "scram-sha-256", "-E", "UTF8"]
    # The platform sorts text by ICU's en-US rules; so does this cluster.
    command += ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C"]
    command += ["--data-checksums", "--no-instructions"]
    user = paths.database_user()
    identity: dict[str, Any] = (
        {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    )
    done = subprocess.run(
        command, cwd=home.root, capture_output=True, text=True, check=False, **identity
    )
    home.log("initdb").write_text(done.stdout + done.stderr)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise RowcastError(f"initdb failed: {last}", f"details: {home.log('initdb')}")


def _write_settings(home: Home) -> None:
    lines = [f"{name} = '{value}'\n" for name, value in _SETTINGS.items()]
    with (home.data / "postgresql.conf").open("a") as config:
        config.writelines(["\n# Rowcast\n", *lines])


def _give_to_database_user(path: str) -> None:
    user = paths.database_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def connect(url: str, **options: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """An autocommit connection with a short time limit."""
    import psycopg

    return psycopg.connect(url, autocommit=True, connect_timeout=5, **options)


def accepts_connections(url: str) -> bool:
    """Whether the server answers a login (it refuses while it starts or recovers)."""
    import psycopg

    try:
        connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def set_password(connection: psycopg.Connection[tuple[Any, ...]], role: str, password: str) -> None:
    """Set a login password as a SCRAM verifier, so that no log or statistic sees the password."""
    from psycopg import sql

    encrypted = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    )
    connection.execute(
        sql.SQL("alter role {} with login password {}").format(
            sql.Identifier(role), sql.Literal(encrypted.decode())
        )
    )
