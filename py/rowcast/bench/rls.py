"""What row-level security costs a list: the same query under it, and without it by stated owner."""

# ruff: noqa: S608 - every statement is put together from constants of this file

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Connection = psycopg.Connection[tuple[Any, ...]]

TIMES = "\u00d7"
TARGET = 1.10
MOST_REPEATS, ROUND_MS = 100, 50.0
BIG = 10_000  # rows from which a table has to be found by an index
PAGE = 20
HEAVY, TYPICAL, ADMIN = 1, 2, 3  # numbers of accounts; the first owns ten times as many rows

# What PostgREST makes of a GET, less what no client sees.
GET = """
with pgrst_source as ({query})
select pg_catalog.count(_postgrest_t) as page_total, coalesce(json_agg(_postgrest_t), '[]') as body,
  nullif(current_setting('response.headers', true), '') as response_headers
from (select * from pgrst_source) as _postgrest_t
"""

OWN = "user_id = (select auth.uid())"
PERMITTED = f"{OWN} or (select private.has_permission('users.read'))"

# Other ways to write the policy of pickup_requests, for an owner's page.
RIVALS = {
    "as it is": OWN,
    "auth.uid() without its select": "user_id = auth.uid()",
    "own or by permission, as a range": "user_id between (select private.bench_bound(false))"
    " and (select private.bench_bound(true))",
    "own or by permission, with OR": PERMITTED,
    "subquery with the row in it": "exists (select from public.profiles as p"
    " where p.id = user_id and p.id = (select auth.uid()))",
    "function called with the row": "private.bench_is_mine(user_id)",
}

FUNCTIONS = """
create function private.bench_is_mine(p_owner uuid) returns boolean
language plpgsql stable security definer set search_path = ''
as $$ begin return p_owner = auth.uid(); end $$;

-- The first and the last owner whose rows one may read: all of them, or oneself.
create function private.bench_bound(p_last boolean) returns uuid
language plpgsql stable security definer set search_path = ''
as $$
begin
  if private.has_permission('users.read') then
    return repeat(case when p_last then 'f' else '0' end, 32);
  end if;
  return auth.uid();
end
$$;

grant execute on function private.bench_is_mine, private.bench_bound to authenticated;
"""


@dataclass(frozen=True, slots=True)
class List:
    """A query for a list, under row-level security and by a role that passes it."""

    name: str
    table: str
    account: int
    guarded: str
    stated: str
    policy: str = OWN  # of pickup_requests, for the time of this list


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds of one list; of the processor where the system tells, else by the clock.

    `guarded` and `stated` are medians, with the lowest and highest round; `plan` names the scans.
    """

    name: str
    guarded: tuple[float, float, float]
    stated: tuple[float, float, float]
    ratio: float
    plan: str
    seq_scans: tuple[str, ...]


def lists() -> list[List]:
    """A user's lists: a page and all of it, of each table that is read by its owner."""
    found = []
    newest = "order by {order} desc limit {limit}"
    for name, account, limit in (
        ("a page of 20", TYPICAL, PAGE),
        ("all 990", TYPICAL, 1000),
        ("a page of 20 of 10,000", HEAVY, PAGE),
        ("all 10,000", HEAVY, 10_000),
    ):
        pickups = newest.format(order="requested_at", limit=limit)
        where = "where user_id = {owner}"
        found += [
            List(f"my_pickups(), {name}", "pickup_requests", account,
                 f"select * from public.my_pickups() limit {limit}",
                 f"select * from public.pickup_requests {where} order by requested_at desc, id"
                 f" limit {limit}"),
            List(f"GET pickup_requests, {name}", "pickup_requests", account,
                 f"select * from public.pickup_requests {pickups}",
                 f"select * from public.pickup_requests {where} {pickups}"),
        ]  # fmt: skip
    for table, order in (("predictions", "created_at"), ("prediction_outcomes", "observed_at")):
        for name, limit in (("a page of 20", PAGE), ("all 990", 1000)):
            tail = newest.format(order=order, limit=limit)
            found.append(
                List(f"GET {table}, {name}", table, TYPICAL,
                     f"select * from public.{table} {tail}",
                     f"select * from public.{table} where owner_id = {{owner}} {tail}")
            )  # fmt: skip
    one = (
        "select * from public.pickup_requests where user_id = {typical} order by requested_at desc"
    )
    page = "select * from public.pickup_requests order by id"
    return [
        *found,
        List(f"an admin: one person's page of {PAGE}", "pickup_requests", ADMIN,
             f"{one} limit {PAGE}", f"{one} limit {PAGE}", PERMITTED),
        List(f"an admin: everybody's, a page of {PAGE}", "pickup_requests", ADMIN,
             f"{page} limit {PAGE}", f"{page} limit {PAGE}", PERMITTED),
    ]  # fmt: skip


# -- rows ------------------------------------------------------------------------------------------


def account(number: int) -> str:
    """The id of the nth account."""
    return f"00000000-0000-4000-8000-{number:012d}"


ACCOUNTS = """
insert into auth.users (id, email)
select ('00000000-0000-4000-8000-' || lpad(g::text, 12, '0'))::uuid, g || '@bench.example.com'
from generate_series(1, %(owners)s::integer) as g;
"""

# One in a hundred rows is the heavy owner's; the others go round.
ROWS = """
create temporary table bench_rows as
select g as n, ('00000000-0000-4000-8000-' || lpad(
  (case when g %% 100 = 0 then 1 else 2 + g %% (%(owners)s::integer - 1) end)::text, 12, '0'
))::uuid as owner, now() - g * interval '1 second' as at
from generate_series(1, %(rows)s::integer) as g
"""

FILL = {
    "pickup_requests": """
insert into public.pickup_requests (user_id, client_key, origin_lat, origin_lng, dest_lat, dest_lng,
  requested_at, estimate_seconds, eta_seconds)
select owner, n::text, 1, 1, 2, 2, at, 900, 900 from bench_rows
""",
    "predictions": """
insert into public.predictions (prediction, source_table, row_key, owner_id, model, status, output,
  created_at)
select 'pickup_eta', 'public.pickup_requests', n::text, owner, 'eta', 'done', '{"seconds": 900}',
  now() - n * interval '1 millisecond' from bench_rows
""",
    "prediction_outcomes": """
insert into public.prediction_outcomes (prediction, row_key, owner_id, truth, observed_at)
select 'pickup_eta', n::text, owner, '900', at from bench_rows
""",
}


def fill(url: str, rows: int, owners: int, step: Callable[[str], None]) -> None:
    """Rows of many owners in each table, without a prediction owed for any."""
    size = {"rows": rows, "owners": owners}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(ACCOUNTS.encode(), size)
        connection.execute(
            "insert into public.user_roles (user_id, role) values (%s, 'admin')", [account(ADMIN)]
        )
        connection.execute(ROWS.encode(), size)
        for table, statement in FILL.items():
            step(f"{rows:,} rows in {table}")
            name = sql.Identifier("public", table)
            with _without_triggers(connection, name):
                connection.execute(statement.encode())
            connection.execute(sql.SQL("vacuum (analyze) {}").format(name))
        connection.execute("vacuum (analyze) public.profiles")
        connection.execute(FUNCTIONS.encode())


@contextmanager
def _without_triggers(connection: Connection, table: sql.Composable) -> Iterator[None]:
    """For one transaction: what is measured is the list, not the pipeline."""
    with connection.transaction():
        connection.execute(sql.SQL("alter table {} disable trigger user").format(table))
        yield
        connection.execute(sql.SQL("alter table {} enable trigger user").format(table))


# -- measuring -------------------------------------------------------------------------------------


class Session:
    """A connection as PostgREST has set it up for one request, and its backend's clock."""

    def __init__(self, url: str, role: str, person: str) -> None:
        self.connection: Connection = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        claims = json.dumps({"role": role, "sub": person})
        self.connection.execute(
            "select set_config('role', %s, false), set_config('request.jwt.claims', %s, false)",
            [role, claims],
        )
        self._schedule = Path(f"/proc/{self.connection.info.backend_pid}/schedstat")

    def milliseconds(self, query: str) -> float:
        """Of one run, of the backend's processor time if the system tells it."""
        before, started = self._processor(), time.perf_counter()
        self.connection.execute(query.encode()).fetchall()
        after = self._processor()
        if before is None or after is None:
            return 1e3 * (time.perf_counter() - started)
        return 1e3 * (after - before)

    def _processor(self) -> float | None:
        try:
            return int(self._schedule.read_text().split()[0]) / 1e9
        except OSError:
            return None


@contextmanager
def session(url: str, role: str, person: int) -> Iterator[Session]:
    """A session, closed at the end."""
    made = Session(url, role, account(person))
    try:
        yield made
    finally:
        made.connection.close()


@contextmanager
def policy(url: str, condition: str) -> Iterator[None]:
    """Give pickup_requests this policy for a while."""
    alter = 'alter policy "riders read their own pickups" on public.pickup_requests using ({})'
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(alter.format(condition).encode())
        try:
            yield
        finally:
            connection.execute(alter.format(OWN).encode())


def measure(url: str, chosen: List, rounds: int) -> Figure:
    """Both forms in turn, many times a round where they are quick; a round counts as its median."""
    words = {"owner": f"'{account(chosen.account)}'", "typical": f"'{account(TYPICAL)}'"}
    guarded, stated = (
        GET.format(query=query.format(**words)) for query in (chosen.guarded, chosen.stated)
    )
    with (
        policy(url, chosen.policy),
        session(url, "authenticated", chosen.account) as person,
        session(url, "service_role", chosen.account) as back_end,
    ):
        bodies = [
            one.connection.execute(query.encode()).fetchone()
            for one, query in ((person, guarded), (back_end, stated))
        ]
        assert bodies[0] == bodies[1], f"{chosen.name}: not the same rows"
        plan, seq_scans = explain(person.connection, guarded)
        longest = max(person.milliseconds(guarded), back_end.milliseconds(stated))
        repeat = max(1, min(MOST_REPEATS, int(ROUND_MS / longest)))
        found: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            times: tuple[list[float], list[float]] = ([], [])
            turns = [(0, person, guarded), (1, back_end, stated)]
            for _ in range(repeat):
                for side, one, query in turns:
                    times[side].append(one.milliseconds(query))
                turns.reverse()  # whoever comes second finds the rows in the processor's cache
            for side in (0, 1):
                found[side].append(median(times[side]))
    with_rls, without = _summary(found[0]), _summary(found[1])
    ratio = median(a / b for a, b in zip(*found, strict=True))
    return Figure(chosen.name, with_rls, without, ratio, plan, seq_scans)


def rival(url: str, name: str, rounds: int) -> Figure:
    """An owner's page under another policy, beside the same page without row-level security."""
    page = f"order by requested_at desc limit {PAGE}"
    chosen = List(
        name, "pickup_requests", TYPICAL,
        f"select * from public.pickup_requests {page}",
        f"select * from public.pickup_requests where user_id = {{owner}} {page}",
        RIVALS[name],
    )  # fmt: skip
    return measure(url, chosen, rounds)


def _summary(values: Sequence[float]) -> tuple[float, float, float]:
    return median(values), min(values), max(values)


def explain(connection: Connection, query: str) -> tuple[str, tuple[str, ...]]:
    """How the rows are found, and which big tables are read from end to end."""
    row = connection.execute(f"explain (analyze, format json) {query}".encode()).fetchone()
    assert row is not None
    nodes = [node for node in _nodes(row[0][0]["Plan"]) if node["Actual Loops"]]
    read = {str(node["Relation Name"]) for node in nodes if node["Node Type"] == "Seq Scan"}
    whole = tuple(sorted(read & _big(connection)))
    indexes = [
        node["Index Name"] for node in nodes if node.get("Index Name") and node["Actual Rows"]
    ]
    found = [f"all of {name}" for name in whole] or list(dict.fromkeys(indexes))
    init = [node["Actual Loops"] for node in nodes if node.get("Parent Relationship") == "InitPlan"]
    asked = (
        f"{len(init)} InitPlan, each once" if set(init) == {1} else f"InitPlan: {init or 'none'}"
    )
    return f"{', '.join(found)}; {asked}", whole


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _big(connection: Connection) -> set[str]:
    rows = connection.execute(
        "select relname from pg_catalog.pg_class where relkind = 'r' and reltuples >= %s", [BIG]
    ).fetchall()
    return {row[0] for row in rows}


# -- the picture -----------------------------------------------------------------------------------


def draw(figures: Sequence[Figure], note: str, path: Path) -> None:
    """Two bars a list, with and without; needs matplotlib (group dev)."""
    mpl: Any = import_module("matplotlib")
    mpl.use("Agg")
    plt: Any = import_module("matplotlib.pyplot")
    style = {"svg.hashsalt": "rowcast", "svg.fonttype": "none", "font.size": 8,
             "axes.spines.top": False, "axes.spines.right": False}  # fmt: skip
    with mpl.rc_context(style):
        figure, axes = plt.subplots(figsize=(9, 0.9 + 0.42 * len(figures)), layout="constrained")
        for place, found in enumerate(figures):
            for offset, (middle, low, high), colour, label in (
                (-0.19, found.guarded, "#1f5fa8", "with row-level security"),
                (0.19, found.stated, "#b9c2cc", "without, owner stated"),
            ):
                axes.barh(place + offset, middle, 0.36, color=colour, label=label)
                axes.plot([low, high], [place + offset] * 2, color="#333333", lw=1)
            axes.text(max(found.guarded[2], found.stated[2]) * 1.1, place,
                      f"{found.ratio:.2f}{TIMES}", va="center", color="#333333")  # fmt: skip
        axes.set_yticks(range(len(figures)), [found.name for found in figures])
        axes.invert_yaxis()
        axes.set_xscale("log")
        axes.set_xlabel(
            "milliseconds of processor time in the database, logarithmic; less is better"
        )
        axes.tick_params(axis="y", length=0)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[:2], labels[:2], loc="lower right", frameon=False)
        axes.set_title(note, fontsize=8.5, loc="left")
        figure.savefig(path)
        plt.close(figure)
