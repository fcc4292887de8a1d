"""`up --supabase`: only the service, beside a real Supabase (local or hosted)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from rowcast.errors import RowcastError
from rowcast.stack import bootstrap, install, postgres, programs
from rowcast.stack.state import DEFAULT_PORT

if TYPE_CHECKING:
    from rowcast.stack.stack import Report, Stack, Status

# Our name for a fact → the environment variable that gives it → the CLI's name for it.
_SOURCES = {
    "db_url": ("SUPABASE_DB_URL", "DB_URL"),
    "api_url": ("SUPABASE_URL", "API_URL"),
    "publishable_key": ("SUPABASE_PUBLISHABLE_KEY", "PUBLISHABLE_KEY"),
    "secret_key": ("SUPABASE_SECRET_KEY", "SECRET_KEY"),
}

_HELP = "run `supabase start` in this folder; or, for a hosted project, set " + ", ".join(
    variable for variable, _ in _SOURCES.values()
)


def start_service(stack: Stack, on_step: Report) -> Status:
    """Apply the migrations with the CLI, give the service its login, start it under supervision."""
    import psycopg

    install.ensure(on_step)
    stack.home.create()
    with stack.exclusive():
        if stack.supervisor.alive():
            if stack.state.external:
                return stack.status()
            raise RowcastError("the embedded stack is running", "./rowcast down first")
        on_step("looking for Supabase")
        found = find_project()
        port = int(os.environ.get("ROWCAST_PORT") or DEFAULT_PORT + 6)
        found["service_port"] = str(port)
        found["service_url"] = os.environ.get("ROWCAST_URL") or f"http://127.0.0.1:{port}"
        try:
            postgres.connect(found["db_url"]).close()
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise RowcastError(f"the database cannot be reached: {reason}", _HELP) from error
        try:
            return _start(stack, found, port, on_step)
        except BaseException:
            stack.supervisor.shutdown()
            raise


def _start(stack: Stack, found: dict[str, str], port: int, on_step: Report) -> Status:
    state = stack.state
    if state.external.get("db_url") != found["db_url"]:
        state.applied = {}  # what is recorded there is about another database
    state.external = found
    on_step("applying migrations")
    log = stack.home.log("migrations")
    bootstrap.migrate(found["db_url"], state.applied, log, on_step, seed=False)
    vault = {
        "rowcast_service_url": found["service_url"],
        "rowcast_webhook_secret": state.webhook_secret,
    }
    with postgres.connect(found["db_url"]) as connection:
        warning = bootstrap.prepare_service(connection, state.service_password, vault)
    if warning:
        on_step(warning)
    stack.save()
    url = service_login(found["db_url"], state.service_password)
    on_step("starting the service")
    stack.supervisor.launch([programs.service(url, port, state, found["secret_key"])])
    stack.supervisor.start("service")
    stack.wait_for("service")
    return stack.status()


def find_project() -> dict[str, str]:
    """Addresses and keys from the environment, else from `supabase status`."""
    given = {name: os.environ.get(variable, "") for name, (variable, _) in _SOURCES.items()}
    if all(given.values()):
        return given
    if any(given.values()):
        present = [_SOURCES[name][0] for name, value in given.items() if value]
        missing = [_SOURCES[name][0] for name, value in given.items() if not value]
        raise RowcastError(f"{_listed(present)} set but {_listed(missing)} not", _HELP)
    done = bootstrap.run_cli(["status", "--output", "json"])
    try:
        reported = json.loads(done.stdout) if done.returncode == 0 else {}
    except ValueError:
        reported = {}
    found = {name: str(reported.get(key) or "") for name, (_, key) in _SOURCES.items()}
    if not all(found.values()):
        raise RowcastError("no Supabase was found: none runs here and none is named", _HELP)
    return found


def _listed(variables: list[str]) -> str:
    return ", ".join(variables) + (" are" if len(variables) > 1 else " is")


def service_login(database_url: str, password: str) -> str:
    """The same address with the service's login; a pooler's user name keeps its project suffix."""
    parts = urlsplit(database_url)
    _, dot, project = (parts.username or "").partition(".")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    address = f"rowcast_service{dot}{project}:{quote(password)}@{host}:{parts.port or 5432}"
    return parts._replace(netloc=address).geturl()
