"""The fuzzer: a short run finds nothing here, and finds each kind of defect that is put there."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from rowcast.fuzz import oracles
from rowcast.fuzz.calls import Call
from rowcast.fuzz.document import Field, Resource, resources
from rowcast.fuzz.people import Person, Site, Victim
from rowcast.fuzz.run import Fuzzer, Report
from rowcast.stack.paths import CHECKOUT
from tests.stack.support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rowcast.stack.stack import Stack

SEED = 20261120
EXAMPLES = 3


@pytest.fixture(scope="module")
def site(stack: Stack) -> Site:
    status = stack.status()
    return Site(status.api_url, status.publishable_key, status.secret_key, status.db_url)


@pytest.fixture(scope="module")
def fuzzer(site: Site) -> Iterator[Fuzzer]:
    """One for the whole file: it signs people up and plants rows when it is made."""
    with httpx.Client(base_url=site.api_url, timeout=20) as client:
        yield Fuzzer(site, client, SEED)


@pytest.fixture(scope="module")
def short_run(fuzzer: Fuzzer) -> Report:
    """Every person at every resource once."""
    for _ in fuzzer.one_pass(EXAMPLES):
        pass
    return fuzzer.close()


def test_a_short_run_finds_nothing(short_run: Report) -> None:
    assert short_run.findings == {}


def test_a_short_run_reaches_everybody_and_gets_past_every_refusal(short_run: Report) -> None:
    """Something was tested behind each function and table, however short the run."""
    assert {person for _, _, person in short_run.coverage} == {"anon", "user", "admin", "backend"}
    assert short_run.untested == []
    assert len(short_run.coverage) > 100
    assert set(short_run.planted) >= {
        "/pickup_requests", "/predictions", "/prediction_outcomes", "/profiles",
    }  # fmt: skip


# --- it finds what is there ----------------------------------------------------------------------


@contextmanager
def mistake(site: Site, statement: str, undo: str) -> Iterator[None]:
    """A defect in the running stack, for the length of a `with`."""
    assert site.db_url is not None
    with psycopg.connect(site.db_url, autocommit=True) as connection:
        connection.execute(statement.encode())
        try:
            yield
        finally:
            connection.execute(undo.encode())


def found(fuzzer: Fuzzer, path: str, examples: int = 12) -> set[str]:
    """The rules that requests of a signed-in person to one path break."""
    fuzzer.anew()
    fuzzer.only({"user"}, {path})
    for _, _ in zip(range(2), fuzzer.rounds(examples), strict=False):
        pass
    report = fuzzer.close()
    assert report.requests > 0
    for person, curl in report.findings.values():
        assert person in {"user", "anybody"}
        assert "$TOKEN" in curl or person == "anybody"
    return {rule for rule, _, _ in report.findings}


def test_an_open_policy_is_found(site: Site, fuzzer: Fuzzer) -> None:
    change = 'alter policy "riders read their own pickups" on public.pickup_requests using ({0})'
    own = change.format("user_id = (select auth.uid())")
    with mistake(site, change.format("true"), own):
        assert "leak" in found(fuzzer, "/pickup_requests")


BROKEN = """
create function public.me_too(p_text text default 'x') returns text
language plpgsql volatile set search_path = '' as $$ begin {0} end $$;
grant execute on function public.me_too(text) to authenticated;
notify pgrst, 'reload schema';
"""
MENDED = "drop function public.me_too(text); notify pgrst, 'reload schema'"


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("raise sqlstate 'XX000' using message = 'oh';", "status"),
        ("""raise 'relation "account_words" is no table';""", "schema"),
        ("return (select string_agg(client_key, '') from public.pickup_requests);", "leak"),
        ("update public.profiles set locale = 'xx'; return 'x';", "changed"),
    ],
)
def test_a_broken_function_is_found(site: Site, fuzzer: Fuzzer, body: str, rule: str) -> None:
    definer = "alter function public.me_too(text) security definer;"
    with mistake(site, BROKEN.format(body) + definer, MENDED):
        key = {"apikey": site.secret_key}
        address = f"{site.api_url}/rest/v1/rpc/me_too"
        eventually(lambda: httpx.get(address, headers=key).json().get("code") != "PGRST202")
        assert rule in found(fuzzer, "/rpc/me_too")


# --- its parts -----------------------------------------------------------------------------------

VICTIM = Victim(Person("victim", "k", "u"), "marker-1", ("guessed",), ("secret-id",))
SOMEBODY = Person("user", "k", "u", "t")


def judged(status: int, content: Any, call: Call | None = None) -> str | None:
    text = content if isinstance(content, str) else json.dumps(content)
    answer = httpx.Response(status, text=text)
    asked = call or Call("GET", "/profiles")
    finding = oracles.judge(asked, SOMEBODY, answer, VICTIM, frozenset({"jobs"}))
    return finding.rule if finding else None


def error(message: str, code: str = "42501", **more: str) -> dict[str, str]:
    return {"code": code, "message": message} | more


@pytest.mark.parametrize(
    ("status", "content", "rule"),
    [
        (200, [], None),
        (200, [{"id": "guessed"}], None),
        (200, [{"id": "secret-id"}], "leak"),
        (400, error("no: marker-1"), "leak"),
        (500, error("x", "XX000"), "status"),
        (500, error("x", "57014"), "status"),
        (500, "Something went wrong", "status"),
        (502, {"code": "UPSTREAM_BROKEN", "message": "x"}, "status"),
        (403, error("permission denied for table profiles"), None),
        (403, error('permission denied for table "jobs"'), "schema"),
        (403, error("permission denied for function ml.claim"), "schema"),
        (400, error("x", "23514", details="Failing row contains (1, 2)."), "schema"),
        (400, error("x", hint='File "/home/me/app.py", line 3'), "schema"),
        (400, error("x", details="PL/pgSQL function f() line 3 at RAISE"), "schema"),
        (200, [{"display_name": 'ml.jobs "jobs"'}], None),
    ],
)
def test_what_an_answer_may_say(status: int, content: Any, rule: str | None) -> None:
    assert judged(status, content) == rule


FORM = (("Content-Type", "application/x-www-form-urlencoded"),)
DEEP = b"[" * 5000 + b"]" * 5000


@pytest.mark.parametrize(
    ("content", "known", "unknown"),
    [
        (
            error("x", "57014"),
            Call("GET", "/profiles", (("locale", "not.imatch.(.*)*x"),)),
            Call("GET", "/profiles", (("locale", "eq.match"),)),
        ),
        (error("x", "57014"), Call("POST", "/x", body=DEEP), Call("POST", "/x", body=b"[[]]")),
        (error("x", "54001"), Call("POST", "/x", body=DEEP), Call("GET", "/x")),
        (
            "Something went wrong",
            Call("POST", "/x", headers=FORM, body=b"a=%ff"),
            Call("POST", "/x", headers=FORM, body=b"a=1"),
        ),
        (
            "Something went wrong",
            Call("DELETE", "/x", (("order", "y(id)"), ("limit", "0"))),
            Call("GET", "/x", (("order", "y(id)"), ("limit", "0"))),
        ),
    ],
)
def test_a_server_error_is_postgrests_own_for_its_own_requests_alone(
    content: Any, known: Call, unknown: Call
) -> None:
    assert judged(500, content, known) is None
    assert judged(500, content, unknown) == "status"
    assert judged(502, content, known) == "status"


def test_what_the_client_sent_is_no_secret() -> None:
    call = Call("GET", "/profiles", (("select", 'ml.jobs,"jobs"'),))
    assert judged(400, error('cannot parse ml.jobs,"jobs"'), call) is None


def test_a_request_is_shown_as_a_command_that_sends_it_again(tmp_path: Any) -> None:
    call = Call("POST", "/x", (("a", "it's"),), (("Prefer", "x"),), b'{"a": "it\'s"}')
    words = call.curl(["apikey: $KEY"])
    script = f'curl() {{ printf "%s\\n" "$@"; }}; SUPABASE_URL=http://h KEY=k; {words}'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "http://h/rest/v1/x?a=it%27s" in lines
    assert "apikey: k" in lines
    assert lines[-1] == '{"a": "it\'s"}'


def test_the_document_is_read() -> None:
    document = {
        "paths": {
            "/": {"get": {}},
            "/things": {"get": {}, "patch": {}},
            "/rpc/f": {"post": {"parameters": [{"in": "body", "schema": {
                "required": ["a"], "properties": {"a": {"format": "uuid", "type": "string"}}}}]}},
        },
        "definitions": {"things": {"properties": {"kind": {"format": "k", "enum": ["x", "y"]}}}},
    }  # fmt: skip
    assert resources(document) == (
        Resource("/rpc/f", ("POST",), (Field("a", "uuid", (), True),)),
        Resource("/things", ("GET", "PATCH"), (Field("kind", "k", ("x", "y")),)),
    )


def test_the_command_needs_the_keys_of_a_stack_that_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rowcast", "fuzz", "--url", "http://127.0.0.1:1"],
        cwd=CHECKOUT,
        env={"PYTHONPATH": str(CHECKOUT / "py"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "a running stack needs its keys" in done.stderr
