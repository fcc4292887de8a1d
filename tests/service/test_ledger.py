"""Writers, kills and restarts at random; then the books are checked line by line.

Every change of a row, every lease and every answer is entered in a ledger while the row is locked,
so that the order of its entries is the order in which the things happened.
"""

from __future__ import annotations

import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.db.pipeline import column, value, weaken
from tests.waiting import wait_for_row

if TYPE_CHECKING:
    from tests.service.conftest import Launch

Connection = psycopg.Connection[tuple[Any, ...]]

SEED = 20261120
WRITERS = 3
KEYS = 40  # of each writer
MAX_ATTEMPTS = 5

CLAIM = "ml.claim(text, jsonb, integer, text, text, jsonb)"
LEDGER = f"""
update ml.models set lease_seconds = 0.5, batch_size = 16, max_attempts = {MAX_ATTEMPTS}
where name = 'faulty';

create table public.ledger (
  seq bigint generated always as identity primary key,
  kind text not null, row_key text not null, token text, x numeric, score numeric, fault text,
  xid xid8 not null default pg_current_xact_id(), seen pg_snapshot
);
create index on public.ledger (row_key, seq);

create function public.enter_change() returns trigger language plpgsql as $$
begin
  insert into public.ledger (kind, row_key, x, fault)
  values (lower(tg_op), coalesce(new.id, old.id)::text, new.x, new.fault);
  return null;
end
$$;
create trigger enter_new after insert or delete on public.notes
for each row execute function public.enter_change();
create trigger enter_edit after update on public.notes
for each row when ((old.x, old.fault) is distinct from (new.x, new.fault))
execute function public.enter_change();

create function public.enter_lease() returns trigger language plpgsql as $$
begin
  insert into public.ledger (kind, row_key, token, seen)
  values (
    'lease', new.row_key, new.token::text, current_setting('ledger.seen')::pg_snapshot
  );
  return null;
end
$$;
create trigger enter_lease after update of token on ml.jobs
for each row when (old.token is null and new.token is not null)
execute function public.enter_lease();

create or replace function public.apply_note_score(
  p_row_keys text[], p_outputs jsonb[], p_model_version text
)
returns void language sql set search_path = '' as $$
  with changed as (
    update public.notes as n
    set score = (o.output ->> 'score')::numeric, scored_by = p_model_version
    from unnest(p_row_keys, p_outputs) as o (row_key, output)
    where n.id = o.row_key::bigint
    returning n.id, n.x, n.score
  )
  insert into public.ledger (kind, row_key, token, x, score)
  select 'answer', c.id::text, current_setting('rowcast.request_id'), c.x, c.score from changed as c
$$;
"""

# Each finds what must not be. What a row was told last is its last change or cancellation.
VIOLATIONS = {
    "a row is without its answer, or with another's": """
        select n.id, n.x, n.score from public.notes as n
        where n.fault is null and n.score is distinct from n.x and (
          select l.kind from public.ledger as l
          where l.row_key = n.id::text and l.kind in ('insert', 'update', 'delete', 'cancel')
          order by l.seq desc limit 1
        ) <> 'cancel'
    """,
    "an answer landed on another input": """
        select seq, row_key, x, score from public.ledger where kind = 'answer' and score <> x
    """,
    # A change in between is one that not both claims had seen.
    "the same question was answered twice": """
        with answers as (
          select a.seq, a.row_key, a.score, l.seen, lag(a.seq) over w as last_seq,
            lag(a.score) over w as last_score, lag(l.seen) over w as last_seen
          from public.ledger as a
          join public.ledger as l
            on l.kind = 'lease' and l.row_key = a.row_key and l.token = a.token
          where a.kind = 'answer'
          window w as (partition by a.row_key order by a.seq)
        )
        select a.row_key, a.score, a.last_seq, a.seq from answers as a
        where a.score = a.last_score and not exists (
          select from public.ledger as c
          where c.row_key = a.row_key and c.kind in ('insert', 'update') and c.seq < a.seq and not (
            pg_visible_in_snapshot(c.xid, a.seen) and pg_visible_in_snapshot(c.xid, a.last_seen)
          )
        )
    """,
    "receipts and answers differ": """
        select row_key, token from public.ledger where kind = 'answer'
        except all
        select row_key, request_id from public.predictions where status = 'done'
    """,
    "an answer has two receipts": """
        select row_key, request_id from public.predictions where status = 'done'
        except all
        select row_key, token from public.ledger where kind = 'answer'
    """,
    "too many attempts": f"""
        select row_key, status, attempts from public.predictions
        where attempts > {MAX_ATTEMPTS} - (status <> 'failed')::integer
    """,
    "a dead letter that nobody asked for": """
        select d.row_key, d.reason, d.error from ml.dead_letters as d
        where d.reason not in ('item_fault', 'batch_fault') or not exists (
          select from public.ledger as l where l.row_key = d.row_key and l.fault is not null
        )
    """,
    "a deadlock": """
        select deadlocks from pg_stat_database where datname = current_database() and deadlocks > 0
    """,
}


@pytest.fixture
def ledger(notes: str) -> str:
    """The database of notes, with the books open."""
    with psycopg.connect(notes) as connection:
        connection.execute(LEDGER.encode())
        note = "perform set_config('ledger.seen', pg_current_snapshot()::text, true); "
        weaken(connection, CLAIM, "(?=perform ml.reclaim_expired)", note)
    return notes


class Writer:
    """Does as it likes to rows of its own, over two connections: one may keep what it did open."""

    def __init__(self, url: str, number: int, stop: threading.Event) -> None:
        self._url = url
        self._stop = stop
        self._dice = random.Random(SEED + number)
        self._keys = range(number * 1000 + 1, number * 1000 + KEYS + 1)

    def run(self) -> int:
        """Write until told to stop; how many transactions."""
        count = 0
        with (
            psycopg.connect(self._url, autocommit=True) as free,
            psycopg.connect(self._url) as held,
        ):
            self._insert(free, list(self._keys))
            while not self._stop.is_set():
                some = set(self._dice.sample(self._keys, self._dice.choice((1, 3, 10))))
                self._write(held, sorted(some))
                # What is open stays so across these, and across the commits of the services.
                others = [key for key in self._keys if key not in some]
                for _ in range(self._dice.choice((0, 0, 2, 20))):
                    keys = self._dice.sample(others, self._dice.choice((1, 1, 1, 10)))
                    with free.transaction():
                        self._write(free, sorted(keys))
                    count += 1
                if self._dice.random() < 0.2:
                    held.rollback()
                else:
                    held.commit()
                count += 1
        return count

    def _write(self, connection: Connection, keys: list[int]) -> None:
        steps = (
            (5, self._edit),
            (2, self._edit_and_back),
            (2, self._delete),
            (4, self._insert),
            (2, self._replace),
            (1, self._cancel),
            (1, self._spoil),
        )
        (step,) = self._dice.choices([s for _, s in steps], [weight for weight, _ in steps])
        step(connection, keys)

    def _edit(self, connection: Connection, keys: list[int]) -> None:
        connection.execute(
            "update public.notes set x = %s, fault = null where id = any(%s)",
            [self._dice.randrange(4), keys],
        )

    def _edit_and_back(self, connection: Connection, keys: list[int]) -> None:
        for sign in ("+", "-"):
            connection.execute(
                f"update public.notes set x = x {sign} 1 where id = any(%s)".encode(), [keys]
            )

    def _delete(self, connection: Connection, keys: list[int]) -> None:
        connection.execute("delete from public.notes where id = any(%s)", [keys])

    def _insert(self, connection: Connection, keys: list[int]) -> None:
        connection.execute(
            "insert into public.notes (id, x) overriding system value"
            " select key, %s from unnest(%s::bigint[]) as key on conflict (id) do nothing",
            [self._dice.randrange(4), keys],
        )

    def _replace(self, connection: Connection, keys: list[int]) -> None:
        self._delete(connection, keys)
        self._insert(connection, keys)

    def _cancel(self, connection: Connection, keys: list[int]) -> None:
        connection.execute(
            "with called_off as materialized ("
            "  select k.key from (select n.id::text as key from public.notes as n"
            "    where n.id = any(%s) order by n.id for update) as k"
            "  where ml.cancel('note_score', k.key, 'as it likes')"
            ") insert into public.ledger (kind, row_key) select 'cancel', key from called_off",
            [keys],
        )

    def _spoil(self, connection: Connection, keys: list[int]) -> None:
        connection.execute(
            "update public.notes set fault = %s where id = any(%s)",
            [self._dice.choice(("input", "crash")), keys[:2]],
        )


def run_wild(url: str, launch: Launch, kills: int) -> None:
    """Two services and some writers, while a service is killed and replaced `kills` times."""
    stop = threading.Event()
    services = [launch(), launch()]
    alive = "select 1 from ml.workers where seen_at > now() - interval '1 s' having count(*) >= 2"
    with ThreadPoolExecutor(WRITERS) as pool:
        writers = [pool.submit(Writer(url, n, stop).run) for n in range(WRITERS)]
        try:
            wait_for_row(url, alive, 20)
            for _ in range(kills):
                wait_for_row(url, "select 1 from ml.jobs where token is not null limit 1", 10)
                victim = services.pop(0)
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                services.append(launch())
                wait_for_row(url, _answers_after(url, 300), 20)
            wait_for_row(url, _answers_after(url, 300), 20)
        finally:
            stop.set()
    for writer in writers:
        assert writer.result() > 0
    wait_for_row(url, "select 1 where not exists (select from ml.jobs)", 15)
    for service in services:
        # A session that ends hands in its statistics, of deadlocks too.
        service.terminate()
    for service in services:
        service.wait(timeout=10)


def _answers_after(url: str, count: int) -> str:
    with psycopg.connect(url) as connection:
        seen = value(connection, "select coalesce(max(seq), 0) from public.ledger")
    return (
        f"select 1 from public.ledger where kind = 'answer' and seq > {seen}"
        f" having count(*) > {count}"
    )


def check(url: str) -> None:
    """The books balance."""
    with psycopg.connect(url) as connection:
        found = {
            rule: rows
            for rule, query in VIOLATIONS.items()
            if (rows := connection.execute(query.encode()).fetchmany(5))
        }
        assert not found, "\n".join(f"{rule}: {rows}" for rule, rows in found.items())
        # And there was something in them.
        kinds = set(column(connection, "select distinct kind from public.ledger"))
        assert kinds == {"insert", "update", "delete", "cancel", "lease", "answer"}


def test_the_books_balance_after_kills_and_restarts(
    ledger: str, launch: Launch, service_log: Path
) -> None:
    run_wild(ledger, launch, kills=3)
    check(ledger)
    said = service_log.read_text()
    assert said.count('"started"') == 5
    for word in ("deadlock", "UNLUCKY", "defect", "claim failed", "heartbeat failed"):
        assert word not in said


def test_without_the_fence_they_do_not(ledger: str, launch: Launch) -> None:
    with psycopg.connect(ledger) as connection:
        weaken(
            connection,
            "ml.commit(uuid, jsonb, text, text)",
            r"on f\.row_key = j\.row_key and sha256\(.*?\) = j\.input_hash",
            "on f.row_key = j.row_key",
        )
    run_wild(ledger, launch, kills=0)
    with pytest.raises(AssertionError, match="an answer landed on another input"):
        check(ledger)
