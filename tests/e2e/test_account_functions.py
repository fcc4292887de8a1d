"""The edge functions for accounts: a ZIP of one's own data, and what only some may do to others."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import uuid
import zipfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from rowcast.stack import install
from tests.e2e.riders import PASSWORD, Rider, new_rider, stopped
from tests.waiting import execute, wait_for_row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rowcast.stack.stack import Stack

pytestmark = pytest.mark.anyio

CHECKOUT = Path(__file__).parents[2]
FUNCTIONS = ("admin-create-user", "admin-delete-user", "account-export")


async def call(
    stack: Stack, function: str, token: str | None, body: Any, **headers: str
) -> httpx.Response:
    """Call an edge function as the holder of a token."""
    status = stack.status()
    headers = {"apikey": status.publishable_key, **headers}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    async with httpx.AsyncClient(timeout=60) as http:
        url = f"{status.api_url}/functions/v1/{function}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await http.post(url, content=content, headers=headers)


def said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["details"]


@asynccontextmanager
async def new_admin(stack: Stack) -> AsyncIterator[Rider]:
    """Somebody who may do everything, until the test is over."""
    async with new_rider(stack) as rider:
        url = stack.status().db_url
        execute(
            url, f"insert into public.user_roles (user_id, role) values ('{rider.id}', 'admin')"
        )
        try:
            yield rider
        finally:
            with psycopg.connect(url) as connection:  # there may be no other admin
                connection.execute("alter table public.user_roles disable trigger user")
                connection.execute("delete from public.user_roles where user_id = %s", [rider.id])
                connection.execute("alter table public.user_roles enable trigger user")


@pytest.fixture(scope="module", autouse=True)
def papers(stack: Stack) -> Iterator[None]:
    """A bucket in which everybody signed in may write."""
    with psycopg.connect(stack.status().db_url, autocommit=True) as connection:
        connection.execute("insert into storage.buckets (id, name) values ('papers', 'papers')")
        connection.execute(
            'create policy "papers are written" on storage.objects for all to authenticated'
            " using (bucket_id = 'papers') with check (bucket_id = 'papers')"
        )
        yield
        connection.execute('drop policy "papers are written" on storage.objects')
        connection.execute("delete from storage.objects where bucket_id = 'papers'")
        connection.execute("delete from storage.buckets where id = 'papers'")


async def put_files(rider: Rider, *names: str) -> None:
    """Files that the rider owns."""
    for name in names:
        await rider.client.storage.from_("papers").upload(name, f"{name} of {rider.id}".encode())


def left(stack: Stack, rider: Rider) -> list[tuple[Any, ...]]:
    """Where the rider can still be found."""
    with psycopg.connect(stack.status().db_url) as connection:
        return connection.execute(
            "select table_name, column_name from private.find_traces(%s)", [[rider.id]]
        ).fetchall()


# Whom they serve


@pytest.mark.parametrize("function", FUNCTIONS)
async def test_a_forged_token_is_refused(stack: Stack, function: str) -> None:
    async with new_rider(stack) as rider:
        status = stack.status()
        for bearer in (None, rider.token[:-3] + "abc", status.publishable_key, status.secret_key):
            answer = await call(stack, function, bearer, {"user_id": rider.id})
            assert said(answer) == (401, "INVALID_TOKEN"), bearer


async def test_a_good_token_is_not_called_invalid_while_auth_is_away(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        with stopped(stack, "auth"):
            for function in FUNCTIONS:
                answer = await call(stack, function, rider.token, {"user_id": rider.id})
                assert said(answer) == (503, "AUTH_UNAVAILABLE")


async def test_an_ordinary_user_makes_and_deletes_nobody(stack: Stack) -> None:
    async with new_rider(stack) as rider, new_rider(stack) as other:
        body = {"email": f"{uuid.uuid4()}@example.com", "password": PASSWORD}
        answer = await call(stack, "admin-create-user", rider.token, body)
        assert said(answer) == (403, "PERMISSION_DENIED")
        for victim in (other.id, rider.id, str(uuid.uuid4())):
            answer = await call(stack, "admin-delete-user", rider.token, {"user_id": victim})
            assert said(answer) == (403, "PERMISSION_DENIED")
        assert left(stack, other) != []


async def test_support_deletes_nobody_and_nobody_deletes_who_is_above(stack: Stack) -> None:
    async with new_admin(stack) as admin, new_rider(stack) as support:
        url = stack.status().db_url
        role = "insert into public.user_roles (user_id, role) values ('{}', '{}')"
        execute(url, role.format(support.id, "support"))
        answer = await call(stack, "admin-delete-user", support.token, {"user_id": admin.id})
        assert said(answer) == (403, "PERMISSION_DENIED")
        execute(
            url,
            "insert into public.app_roles values ('remover', 'May delete') on conflict do nothing",
        )
        execute(
            url,
            "insert into public.role_permissions values ('remover', 'users.delete')"
            " on conflict do nothing",
        )
        execute(url, role.format(support.id, "remover"))
        answer = await call(stack, "admin-delete-user", support.token, {"user_id": admin.id})
        assert said(answer) == (403, "ABOVE_YOURSELF")
        # The last admin: by himself, with his files.
        await put_files(admin, f"{admin.id}.txt")
        answer = await call(stack, "admin-delete-user", admin.token, {"user_id": admin.id})
        assert said(answer) == (409, "LAST_ADMIN")
        assert await admin.client.storage.from_("papers").download(f"{admin.id}.txt")


async def test_refused_bodies(stack: Stack) -> None:
    async with new_admin(stack) as admin:
        good = {"email": "a@example.com", "password": PASSWORD}
        for function, body, expected in (
            ("admin-create-user", {}, "INVALID_PAYLOAD"),
            ("admin-create-user", [], "INVALID_PAYLOAD"),
            ("admin-create-user", {**good, "email": "a"}, "INVALID_PAYLOAD"),
            ("admin-create-user", {**good, "email": "a@b.c\r\nbcc: d@e.f"}, "INVALID_PAYLOAD"),
            ("admin-create-user", {**good, "password": "short"}, "INVALID_PAYLOAD"),
            ("admin-create-user", {**good, "password": 12345678}, "INVALID_PAYLOAD"),
            ("admin-create-user", {**good, "display_name": "x" * 81}, "INVALID_PAYLOAD"),
            ("admin-create-user", {**good, "role": "'; drop"}, "INVALID_PAYLOAD"),
            ("admin-create-user", {**good, "id": str(uuid.uuid4())}, "INVALID_PAYLOAD"),
            ("admin-delete-user", {}, "INVALID_PAYLOAD"),
            ("admin-delete-user", {"due": True}, "INVALID_PAYLOAD"),
            ("admin-delete-user", {"user_id": "x"}, "INVALID_PAYLOAD"),
            ("admin-delete-user", {"user_id": admin.id, "cause": "due"}, "INVALID_PAYLOAD"),
            ("admin-delete-user", {"user_id": str(uuid.uuid4())}, "ACCOUNT_NOT_FOUND"),
            ("admin-delete-user", b"{", "INVALID_JSON"),
            ("admin-create-user", b"x" * 9000, "PAYLOAD_TOO_LARGE"),
        ):
            answer = await call(stack, function, admin.token, body)
            assert answer.json()["details"] == expected, (body, answer.text)
            assert 400 <= answer.status_code < 500


# Making accounts


async def test_a_made_account_signs_in_with_its_role(stack: Stack) -> None:
    async with new_admin(stack) as admin, new_rider(stack) as fresh:
        email = f"made-{uuid.uuid4()}@Example.com"
        body = {"email": email, "password": PASSWORD, "display_name": "Max", "role": "support"}
        answer = await call(stack, "admin-create-user", admin.token, body)
        made = answer.json()
        assert answer.status_code == 201, made
        assert (made["email"], made["roles"], made["invited"]) == (
            email.lower(),
            ["support"],
            False,
        )
        assert said(await call(stack, "admin-create-user", admin.token, body)) == (
            409,
            "ACCOUNT_EXISTS",
        )

        await fresh.client.auth.sign_out()
        signed = await fresh.client.auth.sign_in_with_password(
            {"email": email, "password": PASSWORD}
        )
        assert signed.user is not None
        assert signed.user.id == made["id"]
        me: Any = (await fresh.client.rpc("me").execute()).data
        assert me["display_name"] == "Max"
        answer = await call(stack, "admin-delete-user", admin.token, {"user_id": made["id"]})
        assert answer.json()["is_clean"]


async def test_a_refused_role_leaves_no_account(stack: Stack) -> None:
    async with new_admin(stack) as admin:
        email = f"made-{uuid.uuid4()}@example.com"
        body = {"email": email, "role": "emperor"}
        answer = await call(stack, "admin-create-user", admin.token, body)
        assert 400 <= answer.status_code < 500
        assert (
            execute(stack.status().db_url, f"select id from auth.users where email = '{email}'")
            == []
        )


async def test_who_is_invited_has_no_password_yet(stack: Stack) -> None:
    async with new_admin(stack) as admin, new_rider(stack) as fresh:
        email = f"made-{uuid.uuid4()}@example.com"
        answer = await call(stack, "admin-create-user", admin.token, {"email": email})
        assert answer.json()["invited"] is True
        for password in ("", PASSWORD):
            with pytest.raises(Exception, match=r"(?i)invalid|must provide"):
                await fresh.client.auth.sign_in_with_password(
                    {"email": email, "password": password}
                )


# Export


async def unpacked(stack: Stack, rider: Rider) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    answer = await call(stack, "account-export", rider.token, {})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/octet-stream"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive, json.loads(archive.read("manifest.json"))


SAVES_AN_EXPORT = """
  import { createClient } from "@supabase/supabase-js";
  const [url, key] = process.argv.slice(2);
  const client = createClient(url, key, { auth: { persistSession: false } });
  const email = `js-${crypto.randomUUID()}@example.com`;
  await client.auth.signUp({ email, password: "correct horse battery" });
  const { data } = await client.functions.invoke("account-export");
  process.stdout.write(Buffer.from(await new Blob([data]).arrayBuffer()));
"""


async def test_supabase_js_saves_an_export_byte_by_byte(stack: Stack) -> None:
    status = stack.status()
    command = [str(install.node_binary()), "--input-type=module", "-", status.api_url]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, status.publishable_key],
        input=SAVES_AN_EXPORT.encode(),
        cwd=CHECKOUT,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert zipfile.ZipFile(io.BytesIO(done.stdout)).testzip() is None


async def test_an_export_is_whole_and_can_be_restored(stack: Stack) -> None:
    async with new_admin(stack) as admin, new_rider(stack) as rider, new_rider(stack) as other:
        url = stack.status().db_url
        await put_files(rider, f"{rider.id}.txt", f"a folder/ü {rider.id}")
        await put_files(other, f"{other.id}.txt")
        with psycopg.connect(url) as connection:
            connection.execute(
                "insert into public.predictions"
                " (prediction, source_table, row_key, owner_id, model, status)"
                " select 'p', 't', n, %s, 'eta', 'done' from generate_series(1, 6000) as n",
                [rider.id],
            )
        archive, manifest = await unpacked(stack, rider)
        files = {n: archive.read(n).decode() for n in archive.namelist() if n.startswith("files/")}
        assert files == {
            f"files/papers/{rider.id}.txt": f"{rider.id}.txt of {rider.id}",
            f"files/papers/a folder/ü {rider.id}": f"a folder/ü {rider.id} of {rider.id}",
        }
        assert (manifest["complete"], manifest["missing_files"]) == (True, [])
        data = {
            t["table"]: json.loads(archive.read(f"data/{t['table']}.json"))
            for t in manifest["tables"]
        }
        assert {t["table"]: t["rows"] for t in manifest["tables"]} == {
            t: len(r) for t, r in data.items()
        }
        assert len({row["row_key"] for row in data["public.predictions"]}) == 6000
        assert other.id not in json.dumps([manifest, data])

        answer = await call(stack, "admin-delete-user", admin.token, {"user_id": rider.id})
        assert (answer.status_code, answer.json()["files"], answer.json()["is_clean"]) == (
            200,
            2,
            True,
        )
        assert left(stack, rider) == []
        assert said(await call(stack, "account-export", rider.token, {}))[0] in (401, 404)
        document = json.dumps({**manifest, "data": data})
        with psycopg.connect(url) as connection:  # beyond what a request may hold
            (restored,) = connection.execute(
                "select private.import_account(%s)", [document]
            ).fetchone() or ({},)
        assert restored["rows"]["public.predictions"] == 6000
        execute(url, f"select private.erase_user('{rider.id}')")


async def test_a_file_whose_name_climbs_out_of_storage_opens_nothing_else(stack: Stack) -> None:
    """It is fetched with the secret key, and a URL swallows `..`: this one would be /rest/v1/…"""
    async with new_rider(stack) as rider, new_rider(stack) as other:
        names = ("x/../../../../../rest/v1/profiles", "x/./../../../../../auth/v1/health")
        with psycopg.connect(stack.status().db_url) as connection:
            for name in names:
                connection.execute(
                    "insert into storage.objects (bucket_id, name, owner_id)"
                    " values ('papers', %s, %s)",
                    [name, rider.id],
                )
        try:
            archive, manifest = await unpacked(stack, rider)
        finally:
            with psycopg.connect(stack.status().db_url) as connection:
                connection.execute("delete from storage.objects where owner_id = %s", [rider.id])
        assert [n for n in archive.namelist() if n.startswith("files/")] == []
        assert other.id not in "".join(archive.read(n).decode() for n in archive.namelist())
        assert {file["name"] for file in manifest["missing_files"]} == set(names)


async def test_exports_beyond_the_days_number_are_refused(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        for _ in range(5):
            await unpacked(stack, rider)
        answer = await call(stack, "account-export", rider.token, {})
        assert said(answer) == (429, "EXPORT_LIMIT_REACHED")


# Those that are due


async def test_who_is_due_goes_with_their_files_once_storage_answers(stack: Stack) -> None:
    async with new_rider(stack) as rider:
        url = stack.status().db_url
        await put_files(rider, *(f"{rider.id}/{n}.txt" for n in range(3)))
        await rider.client.rpc("request_deletion", {"p_reason": "enough"}).execute()
        execute(
            url, f"update public.deletion_requests set due_at = now() where user_id = '{rider.id}'"
        )
        execute(url, "select private.run_due_deletions()")  # as pg_cron does
        gone = f"select 1 where not exists (select from auth.users where id = '{rider.id}')"
        wait_for_row(url, gone, 60)
        assert left(stack, rider) == []
        last = "select cause, is_clean from private.erasures order by id desc limit 1"
        assert execute(url, last) == [("due", True)]


async def test_due_deletions_want_the_secret(stack: Stack) -> None:
    async with new_admin(stack) as admin:
        for secret in ("", "wrong", stack.state.secret_key):
            for token in (None, admin.token):
                answer = await call(
                    stack,
                    "admin-delete-user",
                    token,
                    {"due": True},
                    **{"x-rowcast-erasure-secret": secret},
                )
                assert said(answer) == (401, "INVALID_SECRET")


@pytest.fixture
def stuck(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    """A bucket whose files cannot be removed, until its trigger is dropped."""
    with psycopg.connect(stack.status().db_url, autocommit=True) as connection:
        connection.execute("insert into storage.buckets (id, name) values ('stuck', 'stuck')")
        connection.execute(
            "create function public.refuse() returns trigger language plpgsql as"
            " $$ begin raise exception 'stuck'; end $$"
        )
        connection.execute(
            "create trigger refuse before delete on storage.objects for each row"
            " when (old.bucket_id = 'stuck') execute function public.refuse()"
        )
        yield connection
        connection.execute("drop function public.refuse() cascade")
        connection.execute("delete from storage.objects where bucket_id = 'stuck'")
        connection.execute("delete from storage.buckets where id = 'stuck'")


async def test_a_deletion_that_storage_interrupts_is_taken_up_again(
    stack: Stack, stuck: psycopg.Connection[Any]
) -> None:
    secret = {"x-rowcast-erasure-secret": stack.state.erasure_secret}
    async with new_rider(stack) as rider:
        url = stack.status().db_url
        await put_files(rider, f"{rider.id}.txt")
        stuck.execute(
            "insert into storage.objects (id, bucket_id, name, owner_id, metadata)"
            " values (gen_random_uuid(), 'stuck', 'x', %s, '{}')",
            [rider.id],
        )
        await rider.client.rpc("request_deletion", {}).execute()
        mine = f"where user_id = '{rider.id}'"
        execute(url, f"update public.deletion_requests set due_at = now() {mine}")

        answer = await call(stack, "admin-delete-user", None, {"due": True}, **secret)
        assert answer.json() == {"erased": 0, "failed": 1}
        failure = execute(url, f"select failures, error from private.deletion_failures {mine}")
        assert failure[0][0] == 1
        assert str(failure[0][1]).startswith("STORAGE_FAILED")
        files = f"select bucket_id from storage.objects where owner_id = '{rider.id}'"
        assert execute(url, files) == [("stuck",)]
        assert execute(url, f"select id::text from auth.users where id = '{rider.id}'")

        stuck.execute("drop trigger refuse on storage.objects")
        execute(
            url, f"update private.deletion_failures set failed_at = now() - interval '1 day' {mine}"
        )
        answer = await call(stack, "admin-delete-user", None, {"due": True}, **secret)
        assert answer.json() == {"erased": 1, "failed": 0}
        assert left(stack, rider) == []
