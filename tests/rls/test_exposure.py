"""What a client can reach over HTTP: functions and tables of `public`, and no system function."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from rowcast.stack.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowcast.stack.stack import Stack


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    """A client with the secret key, which is the most that leaves the back end."""
    status = stack.status()
    headers = {"apikey": status.secret_key}
    with httpx.Client(base_url=f"{status.api_url}/rest/v1", headers=headers) as client:
        yield client


def test_public_is_the_only_exposed_schema(api: httpx.Client) -> None:
    config = tomllib.loads((CHECKOUT / "supabase/config.toml").read_text())
    assert config["api"]["schemas"] == ["public"]
    answer = api.get("/jobs", headers={"accept-profile": "ml"})
    assert (answer.status_code, answer.json()["code"]) == (406, "PGRST106")
    assert answer.json()["message"].endswith(": public")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("set_config", {"setting_name": "role", "new_value": "postgres", "is_local": True}),
        ("pg_sleep", {"": 1}),
        ("pg_terminate_backend", {"pid": 1}),
        ("pg_read_file", {"filename": "PG_VERSION"}),
        ("lo_import", {"": "/etc/passwd"}),
        ("current_setting", {"setting_name": "role"}),
        ("claim", {"p_worker": "me", "p_models": {"eta": "1"}}),
        ("attach_triggers", {"p_attachment_id": 1}),
        ("http_post", {"url": "http://127.0.0.1"}),
    ],
)
@pytest.mark.parametrize("profile", [None, "pg_catalog", "ml", "private", "net"])
def test_forging_claims_or_calling_the_system_through_rpc(
    api: httpx.Client, function: str, arguments: dict[str, Any], profile: str | None
) -> None:
    headers = {"content-profile": profile} if profile else {}
    answer = api.post(f"/rpc/{function}", json=arguments, headers=headers)
    expected = (406, "PGRST106") if profile else (404, "PGRST202")
    assert (answer.status_code, answer.json()["code"]) == expected


def test_a_call_that_exists_is_answered(api: httpx.Client) -> None:
    """So that the refusals above are not those of a gateway that refuses everything."""
    assert api.get("/rpc/hello").json() == [{"message": "Hello from Rowcast"}]


def test_no_table_of_the_pipeline_is_described(api: httpx.Client) -> None:
    paths = set(api.get("/").json()["paths"])
    assert {path for path in paths if not path.startswith("/rpc/")} == {
        "/", "/app_roles", "/deletion_requests", "/export_requests", "/feature_flags",
        "/login_events", "/notifications", "/permissions", "/pickup_requests",
        "/prediction_outcomes", "/predictions", "/profiles", "/role_permissions", "/user_roles",
    }  # fmt: skip
