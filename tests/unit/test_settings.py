"""Settings come from the environment; what is wrong is named."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from rowcast.errors import RowcastError
from rowcast.settings import Settings, load_settings

GOOD = {
    "ROWCAST_DB_URL": "postgresql://rowcast_service@127.0.0.1/postgres",
    "ROWCAST_SECRET_KEY": "sb_secret_0123456789",
    "ROWCAST_WEBHOOK_SECRETS": "whsec_" + base64.b64encode(b"k" * 32).decode(),
    "ROWCAST_DATABASE_WEBHOOK_SECRET": "0123456789abcdef",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"ROWCAST_{name.upper()}", raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_defaults_fill_in_the_rest() -> None:
    settings = load_settings()
    assert settings.port == 54327
    assert settings.models == ("echo", "eta", "signin")
    assert len(settings.webhook_secrets) == 1


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_variable_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(RowcastError, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ROWCAST_PORT", "0"),
        ("ROWCAST_PORT", "http"),
        ("ROWCAST_WEBHOOK_SECRETS", "whsec_tooshort"),
        ("ROWCAST_WEBHOOK_SECRETS", "whsec_!!!"),
        ("ROWCAST_SECRET_KEY", "short"),
        ("ROWCAST_POLL_SECONDS", "-1"),
        ("ROWCAST_LOG_LEVEL", "LOUD"),
        ("ROWCAST_REMOTE_KEYS", "sk-alone-is-no-object"),
        ("ROWCAST_REMOTE_KEYS", '["sk-in-a-list"]'),
        ("ROWCAST_REMOTE_KEYS", '{"embeddings": "short"}'),
        ("ROWCAST_REMOTE_KEYS", '{"embeddings": "sk-two words"}'),
        ("ROWCAST_REMOTE_KEYS", '{"embeddings": 12345678}'),
    ],
)
def test_a_bad_value_is_named_and_not_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(RowcastError, match=name) as refused:
        load_settings()
    if "SECRET" in name:
        assert value not in str(refused.value)
    for key in ("sk-", "short", "12345678"):
        assert key not in str(refused.value)


def test_remote_keys_are_read_by_name_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().remote_keys == {}
    monkeypatch.setenv("ROWCAST_REMOTE_KEYS", '{"embeddings": "sk-0123456789"}')
    settings = load_settings()
    assert settings.remote_keys["embeddings"].get_secret_value() == "sk-0123456789"
    assert "sk-" not in repr(settings)


def test_the_example_file_lists_every_variable() -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text()
    listed = set(re.findall(r"^#? ?(ROWCAST_[A-Z_]+)=", example, re.MULTILINE))
    assert {f"ROWCAST_{name.upper()}" for name in Settings.model_fields} <= listed
