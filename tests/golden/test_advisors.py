"""The platform's own advisors find nothing that advisors.json does not accept with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg

from rowcast.stack.bootstrap import run_cli

FILE = Path(__file__).with_name("advisors.json")

# INFO findings that say nothing here, as a kind; every other one is accepted one by one or mended.
KINDS = {
    "unused_index": "counts what was asked since the start, and a test's database is minutes old",
    "rls_enabled_no_policy": "row-level security without a policy is how internal tables are shut",
}


def findings(url: str) -> list[dict[str, str]]:
    """Every finding of every level, on security and performance, as advisors.json writes them."""
    done = run_cli(
        ["db", "advisors", "--level=info", "--fail-on=none", "--output-format=json"], url
    )
    try:
        results = json.loads(done.stdout)["results"]
    except (ValueError, KeyError) as error:
        raise AssertionError(f"{done.stdout}\n{done.stderr}") from error
    return sorted(
        (
            {
                "level": result["level"],
                "advisor": result["name"],
                "object": f"{result['metadata'].get('schema')}.{result['metadata'].get('name')}",
                "detail": result["detail"],
            }
            for result in results
            if result["level"] != "INFO" or result["name"] not in KINDS
        ),
        key=str,
    )


def test_advisors(database_template: str, refresh_golden: bool) -> None:
    accepted = json.loads(FILE.read_text()) if FILE.exists() else []
    reasons = {entry["detail"]: entry["reason"] for entry in accepted}
    found = findings(database_template)
    if refresh_golden:
        kept = [{**finding, "reason": reasons.get(finding["detail"], "")} for finding in found]
        FILE.write_text(json.dumps(kept, indent=2) + "\n")
        reasons = {entry["detail"]: entry["reason"] for entry in kept}
    new = [finding for finding in found if finding["detail"] not in reasons]
    assert not new, "mend them, or accept them in tests/golden/advisors.json with a reason"
    stale = reasons.keys() - {finding["detail"] for finding in found}
    assert not stale, "no longer found: take them out of tests/golden/advisors.json"
    assert all(reasons.values()), "every accepted finding needs a reason"


def test_the_advisors_are_asked_about_security_and_about_performance(fresh_db: str) -> None:
    with psycopg.connect(fresh_db) as connection:
        connection.execute(
            "create table public.broken (id uuid constraint broken_pkey primary key,"
            " made_by uuid references auth.users (id));"
            " create table public.open (id int primary key);"
            " grant select on public.open to anon;"
            " alter table public.broken enable row level security;"
            " create policy slow on public.broken to authenticated using (made_by = auth.uid())"
        )
    assert {(found["advisor"], found["object"]) for found in findings(fresh_db)} >= {
        ("rls_disabled_in_public", "public.open"),
        ("auth_rls_initplan", "public.broken"),
        ("unindexed_foreign_keys", "public.broken"),
    }
