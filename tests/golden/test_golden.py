"""The schema and every privilege, as migrations leave them, beside the files in git."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from rowcast.stack import install
from rowcast.stack.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable

Connection = psycopg.Connection[tuple[Any, ...]]

HERE = Path(__file__).parent
SOURCES = CHECKOUT / "sql/functions"

# What our migrations hang on tables of the platform, whose schemas are not dumped.
ON_PLATFORM_TABLES = """
select pg_get_triggerdef(t.oid) || ';'
from pg_trigger as t
join pg_class as c on c.oid = t.tgrelid
join pg_proc as p on p.oid = t.tgfoid
where p.pronamespace in ('public'::regnamespace, 'ml'::regnamespace, 'private'::regnamespace)
  and c.relnamespace not in ('public'::regnamespace, 'ml'::regnamespace, 'private'::regnamespace)
union all
select format('CREATE POLICY %I ON %I.%I FOR %s TO %s USING (%s);',
  policyname, schemaname, tablename, cmd, array_to_string(roles, ', '), qual)
from pg_policies where schemaname = 'realtime'
union all
select format('-- cron: %s, %s: %s', jobname, schedule, command) from cron.job
order by 1
"""


def dump(url: str) -> str:
    """pg_dump of our schemas without what differs between days and versions."""
    command = [str(install.client_binary("pg_dump")), "--schema-only", "--no-owner"]
    command += ["--no-privileges", "--no-comments", "--exclude-table=ml.predictions_[0-9]*"]
    command += ["--exclude-table=private.audit_log_[0-9]*"]
    for schema in ("public", "ml", "private", "gate"):
        command.append(f"--schema={schema}")
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"^--\n-- .*\n--\n", "", done.stdout, flags=re.MULTILINE)
    noise = r"^(-- Dumped .*|\\(un)?restrict .*|SET \w+ = .*;|SELECT pg_catalog\.set_config.*)\n"
    text = re.sub(noise, "", text, flags=re.MULTILINE)
    text = "".join(
        _without_known_body(part) for part in re.split(r"^(?=CREATE )", text, flags=re.MULTILINE)
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _without_known_body(statement: str) -> str:
    """Bodies stand in sql/functions, which test_sources.py holds to; generated ones stay."""
    found = re.match(r"CREATE FUNCTION (\w+)\.(\w+)\(", statement)
    if found is None or not (SOURCES / found[1] / f"{found[2]}.sql").exists():
        return statement
    body = r"\n    AS (\$\w*\$).*\1;"
    return re.sub(body, "\n    AS -- as in sql/functions", statement, flags=re.DOTALL)


def test_schema(
    database_template: str, db: Connection, compare: Callable[[str, str], None]
) -> None:
    rows = db.execute(ON_PLATFORM_TABLES.encode()).fetchall()
    db.rollback()
    extra = "\n".join(row[0] for row in rows)
    found = f"{dump(database_template)}\n-- On tables of the platform\n\n{extra}\n"
    assert "predictions_2" not in found
    compare("schema.sql", found)


def test_privileges(db: Connection, compare: Callable[[str, str], None]) -> None:
    db.execute("set local search_path = ''")
    rows = db.execute((HERE / "privileges.sql").read_bytes()).fetchall()
    compare("privileges.txt", "".join(f"{row[0]}\n" for row in rows))
