"""sql/ is the readable present: the migrations alone yield exactly what its files say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast.stack import bootstrap
from rowcast.stack.paths import CHECKOUT
from tests.db.pipeline import Connection, column, value

if TYPE_CHECKING:
    from pathlib import Path

FUNCTIONS = sorted((CHECKOUT / "sql/functions").rglob("*.sql"))
POLICIES = sorted((CHECKOUT / "sql/policies").glob("*.sql"))

# List functions go without SET, so that the filters of the Data API are pushed into them; the
# pre-request, so that it is inlined.
WITHOUT_SEARCH_PATH = {"public.my_pickups", "gate.before_request"}

SPANNING = re.DOTALL | re.MULTILINE

OURS = "= any ('{public,ml,private,gate}'::regnamespace[])"
GENERATED = r"^(tg_)?(pickup_eta|sign_in_risk)__"  # by ml.attach

SNAPSHOT = f"""
select 'function ' || p.oid::regprocedure::text, pg_get_functiondef(p.oid)
from pg_proc as p where p.pronamespace {OURS}
union all
select 'comment on ' || p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc')
from pg_proc as p where p.pronamespace {OURS}
union all
select 'rights on ' || p.oid::regprocedure::text, (
  select string_agg(a::text, ' ' order by a::text) from aclexplode(p.proacl) as a
)
from pg_proc as p where p.pronamespace {OURS}
union all
select 'rights on ' || c.oid::regclass::text, (
  select string_agg(a::text, ' ' order by a::text) from aclexplode(c.relacl) as a
)
from pg_class as c where c.relnamespace {OURS}
union all
select format('rights on %s.%s', t.attrelid::regclass, t.attname), (
  select string_agg(a::text, ' ' order by a::text) from aclexplode(t.attacl) as a
)
from pg_attribute as t join pg_class as c on c.oid = t.attrelid
where c.relnamespace {OURS} and t.attnum > 0
union all
select 'policy ' || p.policyname, p::text from pg_policies as p
union all
select format('trigger %s on %s', t.tgname, t.tgrelid::regclass), pg_get_triggerdef(t.oid)
from pg_trigger as t join pg_proc as p on p.oid = t.tgfoid where p.pronamespace {OURS}
"""


def snapshot(conn: Connection) -> dict[str, str]:
    """All that functions and policies come to."""
    return dict(conn.execute(SNAPSHOT.encode()).fetchall())


def name_of(file: Path) -> str:
    return f"{file.parent.name}.{file.stem}"


def head_of(file: Path) -> str:
    """The declaration, without what comes before it and without the body."""
    text = file.read_text()
    start = text.index("create or replace function")
    end = re.search(r"^(as \$|return |begin atomic)", text[start:], flags=re.MULTILINE)
    assert end, file
    return text[start : start + end.start()]


def id_of(file: Path) -> str:
    return file.relative_to(CHECKOUT / "sql").with_suffix("").as_posix()


each_file = pytest.mark.parametrize("file", [*FUNCTIONS, *POLICIES], ids=id_of)
each_function = pytest.mark.parametrize("file", FUNCTIONS, ids=id_of)


def test_there_are_sources() -> None:
    assert len(FUNCTIONS) > 30
    assert len(POLICIES) >= 5


@each_file
def test_running_the_file_again_changes_nothing(db: Connection, file: Path) -> None:
    before = snapshot(db)
    db.execute(file.read_bytes(), prepare=False)
    assert snapshot(db) == before


@pytest.mark.parametrize(
    "edit",
    [
        ("Hello from Rowcast", "Hello"),
        ("immutable", "stable"),
        ("Say hello", "Say something"),
        ("to anon, authenticated", "to rowcast_service, authenticated"),
    ],
)
def test_an_edited_file_would_be_noticed(db: Connection, edit: tuple[str, str]) -> None:
    text = (CHECKOUT / "sql/functions/public/hello.sql").read_text()
    assert edit[0] in text
    before = snapshot(db)
    db.execute(text.replace(*edit).encode(), prepare=False)
    assert snapshot(db) != before


def test_an_edited_policy_would_be_noticed(db: Connection) -> None:
    text = (CHECKOUT / "sql/policies/profiles.sql").read_text()
    before = snapshot(db)
    db.execute(text.replace("using (id =", "using (id is not null or id =").encode())
    assert snapshot(db) != before


def test_every_function_has_a_file(db: Connection) -> None:
    found = column(
        db,
        f"select pronamespace::regnamespace || '.' || proname from pg_proc"
        f" where pronamespace {OURS} and proname !~ %s",
        [GENERATED],
    )
    assert sorted(found) == sorted(name_of(file) for file in FUNCTIONS)  # no overloads either


def test_every_policy_has_a_file(db: Connection) -> None:
    texts = "\n".join(file.read_text() for file in POLICIES)
    made = set(re.findall(r'create policy "([^"]+)"', texts))
    ours = "select policyname from pg_policies where schemaname in ('public', 'realtime')"
    assert made == set(column(db, ours))


@each_function
def test_a_file_holds_the_one_function_it_is_named_for(file: Path) -> None:
    made = re.findall(r"create (?:or replace )?function (\S+?)\s*\(", file.read_text())
    if name_of(file) == "ml.generate":  # holds the text of those it generates
        made = made[:1]
    assert made == [name_of(file)]


@each_function
def test_a_function_states_what_it_is(file: Path) -> None:
    head = head_of(file)
    lines = head.splitlines()
    assert re.search(r"^language (sql|plpgsql)$", head, flags=re.MULTILINE)
    assert len({"volatile", "stable", "immutable"}.intersection(lines)) == 1
    assert len({"security invoker", "security definer"}.intersection(lines)) == 1
    assert ("set search_path = ''" in lines) is (name_of(file) not in WITHOUT_SEARCH_PATH)


@each_function
def test_a_definer_is_behind_the_api_and_gives_its_reason(file: Path) -> None:
    if "security definer" in head_of(file):
        assert file.parent.name in {"private", "ml"}
        before = file.read_text().split("create or replace function")[0]
        if not file.stem.startswith("tg_") and file.stem != "heartbeat":
            assert "Definer" in before


def test_every_refusal_has_a_sentence_a_registered_token_and_a_hint() -> None:
    registry = (CHECKOUT / "docs/reference/error-codes.md").read_text()
    refusals = [
        (file.stem, refusal)
        for file in FUNCTIONS
        for refusal in re.findall(
            r"raise sqlstate 'PT(\d{3}' using.*?);$", file.read_text(), SPANNING
        )
    ]
    assert len(refusals) >= 10
    for name, refusal in refusals:
        assert re.search(r"message = (format\()?'[A-Za-z][^']+\.'", refusal.replace("''", "")), name
        assert re.search(r"hint = (format\()?'[^']+\.'", refusal.replace("''", "")), name
        token = re.search(r"detail = '([A-Z_]+)'", refusal)
        assert token, name
        row = rf"^\| `{token[1]}` \| {refusal[:3]} \|"
        assert re.search(row, registry, re.MULTILINE), f"{token[1]} of {name}"


def test_the_catalogue_agrees(db: Connection) -> None:
    """Also of generated functions."""
    loose = column(
        db,
        f"select pronamespace::regnamespace || '.' || proname from pg_proc"
        f" where pronamespace {OURS}"
        " and not coalesce(proconfig, '{}') @> array['search_path=\"\"']",
    )
    assert set(loose) == WITHOUT_SEARCH_PATH
    exposed = "select proname from pg_proc where pronamespace = 'public'::regnamespace"
    assert column(db, f"{exposed} and prosecdef") == []
    assert column(db, f"{exposed} and provolatile = 'v' and proname ~ '^(get|my)_'") == []


def test_every_api_function_is_described_and_granted_by_name(db: Connection) -> None:
    rows = db.execute(
        "select p.proname, obj_description(p.oid, 'pg_proc'), a.grantee"
        " from pg_proc as p left join lateral aclexplode(p.proacl) as a"
        " on a.grantee <> p.proowner"
        " where p.pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert len(rows) > 10
    for name, comment, grantee in rows:
        assert comment, name
        summary, blank, *detail = comment.split("\n")
        assert 0 < len(summary) < 60, name
        assert blank == "", name
        assert detail, name
        assert grantee, f"{name} is granted to {'PUBLIC' if grantee == 0 else 'nobody'}"


def test_every_table_and_public_column_is_described(db: Connection) -> None:
    tables = column(
        db,
        f"select oid::regclass::text from pg_class where relkind in ('r', 'p')"
        f" and relnamespace {OURS} and not relispartition"
        " and obj_description(oid, 'pg_class') is null",
    )
    columns = column(
        db,
        "select format('%s.%s', a.attrelid::regclass, a.attname) from pg_attribute as a"
        " join pg_class as c on c.oid = a.attrelid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')"
        " and not c.relispartition and a.attnum > 0 and not a.attisdropped"
        " and col_description(a.attrelid, a.attnum) is null",
    )
    assert (tables, columns) == ([], [])


def test_every_foreign_key_states_its_delete_and_has_an_index(db: Connection) -> None:
    rows = db.execute(
        "select c.conname, pg_get_constraintdef(c.oid) ~ 'ON DELETE', exists ("
        " select from pg_index as i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])"
        f" from pg_constraint as c where c.contype = 'f' and c.connamespace {OURS}"
    ).fetchall()
    assert len(rows) >= 4
    assert [row for row in rows if row[1:] != (True, True)] == []


def test_migrating_twice_does_no_harm(fresh_db: str, tmp_path: Path) -> None:
    everything = (
        "select (select count(*) from pg_class), (select count(*) from pg_proc),"
        " (select array_agg(version order by version) from supabase_migrations.schema_migrations)"
    )

    def state() -> tuple[Any, ...]:
        with psycopg.connect(fresh_db) as connection:
            return snapshot(connection), connection.execute(everything).fetchone()

    before = state()
    log = tmp_path / "push.log"
    bootstrap.push(fresh_db, log)
    assert "up to date" in log.read_text()
    assert state() == before


def test_the_template_has_every_migration(db: Connection) -> None:
    known = "select version from supabase_migrations.schema_migrations order by 1"
    files = [file.name.split("_")[0] for file in bootstrap.migration_files()]
    assert column(db, known) == files
    assert value(db, "select count(*) from ml.attachments") == 2
