"""Connection strings for tools that take nothing but a URL."""

from __future__ import annotations

from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict


def as_url(conninfo: str) -> str:
    """The same database as a postgresql:// URL, without TLS (every test database is local)."""
    part = {name: quote(str(value), safe="") for name, value in conninfo_to_dict(conninfo).items()}
    login = f"{part['user']}:{part['password']}" if "password" in part else part["user"]
    address = f"{part['host']}:{part.get('port', '5432')}"
    return f"postgresql://{login}@{address}/{part['dbname']}?sslmode=disable"
