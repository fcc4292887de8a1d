"""The service at work: claims, faults and stops, on a real database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast import models
from tests.service.conftest import ECHOES
from tests.waiting import execute, until, wait_for_row

if TYPE_CHECKING:
    from tests.fakes import FaultyModel
    from tests.service.conftest import Start

pytestmark = pytest.mark.anyio

NOTHING_OWED = "select 1 where not exists (select from ml.queue)"


async def settled(url: str, query: str = NOTHING_OWED) -> tuple[object, ...]:
    return await asyncio.to_thread(wait_for_row, url, query)


async def test_a_written_row_predicts_itself(notes: str, start: Start) -> None:
    async with start():
        execute(notes, "insert into public.notes (x) values (7)")
        assert await settled(
            notes, "select score, scored_by from public.notes where score > 0"
        ) == (
            7,
            "1",
        )
    (receipt,) = execute(notes, "select status, output, interval_low from public.predictions")
    assert receipt == ("done", {"score": 7}, 7)


async def test_what_was_written_while_the_service_was_away_is_done_when_it_is_back(
    notes: str, start: Start
) -> None:
    execute(notes, "insert into public.notes (x) select generate_series(1, 500)")
    async with start():
        await settled(notes)
    assert execute(notes, "select count(*), sum(score) from public.notes") == [(500, 125250)]


async def test_an_edit_while_predicting_is_never_overwritten_by_the_old_answer(
    notes: str, start: Start
) -> None:
    async with start(concurrency=1) as _:
        model: FaultyModel = models.load("faulty")  # type: ignore[assignment]
        execute(notes, "insert into public.notes (x, fault) values (1, 'hang')")
        await until(lambda: bool(model.batches))
        execute(notes, "update public.notes set x = 2, fault = null")
        model.release.set()
        await settled(notes)
    assert execute(notes, "select score from public.notes") == [(2,)]
    statuses = execute(notes, "select status from public.predictions order by id")
    assert statuses == [("superseded",), ("done",)]


async def test_a_poison_row_dies_with_its_reason_and_its_company_lives(
    notes: str, start: Start
) -> None:
    execute(
        notes,
        "insert into public.notes (x, fault) select i, case i when 13 then 'crash' end"
        " from generate_series(1, 32) as i",
    )
    async with start():
        await settled(notes)
    assert execute(notes, "select count(*) from public.notes where score = x") == [(31,)]
    ((attempts, reason, error),) = execute(
        notes, "select attempts, reason, error from ml.dead_letters"
    )
    assert (attempts, reason) == (2, "item_fault")
    assert "as it was told to" in str(error)


async def test_an_answer_the_table_refuses_is_the_items_fault(notes: str, start: Start) -> None:
    execute(notes, "insert into public.notes (x) values (1), (5000), (2), (3)")
    async with start():
        await settled(notes)
    assert execute(notes, "select x from public.notes where score is null") == [(5000,)]
    ((error,),) = execute(notes, "select error from ml.dead_letters")
    assert str(error).startswith("REFUSED")


@pytest.mark.parametrize("fault", ["nan", "short", "input"])
async def test_each_faulty_answer_ends_among_the_dead_letters(
    fault: str, notes: str, start: Start
) -> None:
    execute(notes, f"insert into public.notes (x, fault) values (1, '{fault}'), (2, null)")
    async with start():
        await settled(notes)
    assert execute(notes, "select x from public.notes where score is not null") == [(2,)]
    assert execute(notes, "select count(*) from ml.dead_letters") == [(1,)]


async def test_stopping_releases_what_is_leased_at_no_charge(notes: str, start: Start) -> None:
    model: FaultyModel
    async with start(drain_seconds=0.1):
        model = models.load("faulty")  # type: ignore[assignment]
        execute(notes, "insert into public.notes (x, fault) values (1, 'hang')")
        await until(lambda: bool(model.batches))
    model.release.set()
    assert execute(notes, "select state, attempts, reason from ml.queue") == [
        ("waiting", 0, "released")
    ]


async def test_stopping_waits_for_what_is_nearly_done(notes: str, start: Start) -> None:
    async with start(drain_seconds=5):
        model: FaultyModel = models.load("faulty")  # type: ignore[assignment]
        execute(notes, "insert into public.notes (x, fault) values (1, 'hang')")
        await until(lambda: bool(model.batches))
        asyncio.get_running_loop().call_later(0.2, model.release.set)
    assert execute(notes, "select score from public.notes") == [(1,)]


async def test_a_lost_connection_costs_time_only(notes: str, start: Start) -> None:
    async with start():
        execute(notes, "insert into public.notes (x) values (1)")
        await settled(notes)
        execute(
            notes,
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and usename = 'rowcast_service'",
        )
        execute(notes, "insert into public.notes (x) values (2)")
        await settled(notes)
    assert execute(notes, "select count(*) from public.notes where score = x") == [(2,)]


async def test_a_long_call_keeps_its_lease_by_heartbeats(notes: str, start: Start) -> None:
    async with start(concurrency=2) as _:
        model: FaultyModel = models.load("faulty")  # type: ignore[assignment]
        execute(notes, "insert into public.notes (x, fault) values (1, 'hang')")
        await until(lambda: bool(model.batches))
        (before,) = await settled(notes, "select lease_until from ml.leases")
        await settled(
            notes, f"select 1 from ml.leases where lease_until > '{before}'::timestamptz + '1 s'"
        )
        assert model.batches == [1]
        model.release.set()
        await settled(notes)
    assert execute(notes, "select status from public.predictions") == [("done",)]


async def test_one_row_that_the_apply_function_raises_on_does_not_bury_the_rest(
    notes: str, start: Start
) -> None:
    execute(
        notes,
        """
        create or replace function public.apply_note_score(
          p_row_keys text[], p_outputs jsonb[], p_model_version text
        ) returns void language plpgsql set search_path = '' as $$
        begin
          if '13' = any (p_row_keys) then raise exception 'not the thirteenth'; end if;
          update public.notes as n set score = (o.output ->> 'score')::numeric
          from unnest(p_row_keys, p_outputs) as o (row_key, output) where n.id = o.row_key::bigint;
        end $$
        """,
    )
    execute(notes, "insert into public.notes (x) select generate_series(1, 32)")
    async with start():
        await settled(notes)
    assert execute(notes, "select count(*) from public.notes where score = x") == [(31,)]
    ((row_key, error),) = execute(notes, "select row_key, error from ml.dead_letters")
    assert row_key == "13"
    assert "not the thirteenth" in str(error)


async def test_a_row_that_somebody_has_locked_costs_nobody_an_attempt(
    notes: str, start: Start
) -> None:
    execute(notes, "insert into public.notes (x) select generate_series(1, 20)")
    with psycopg.connect(notes) as holder:
        holder.execute("select from public.notes where id = 7 for update")
        async with start():
            await settled(notes, "select 1 from public.notes having count(score) = 19")
            await settled(notes, "select 1 from ml.retries where reason = 'row_busy'")
            assert execute(notes, "select max(attempts) from ml.queue") == [(0,)]
            holder.rollback()
            await settled(notes)
    assert execute(notes, "select count(*) from public.notes where score = x") == [(20,)]
    assert execute(notes, "select count(*) from ml.dead_letters") == [(0,)]


async def test_stopping_under_load_leaves_nothing_leased(notes: str, start: Start) -> None:
    execute(notes, "insert into public.notes (x) select 1 from generate_series(1, 2000)")
    async with start(concurrency=1, claim_limit=16):
        await settled(notes, "select 1 from public.notes where score is not null limit 1")
    assert execute(notes, "select count(*) > 0, max(attempts), count(token) from ml.queue") == [
        (True, 0, 0)
    ]


async def test_a_lease_is_kept_while_draining(notes: str, start: Start) -> None:
    async with start(drain_seconds=10):
        model: FaultyModel = models.load("faulty")  # type: ignore[assignment]
        execute(notes, "insert into public.notes (x, fault) values (1, 'hang')")
        await until(lambda: bool(model.batches))
        (first,) = await settled(notes, "select lease_until from ml.leases")

        async def look_after_the_first_lease() -> object:
            over = f"select (select lease_until > now() from ml.leases) where now() > '{first}'"
            (kept,) = await settled(notes, over)
            model.release.set()
            return kept

        looking = asyncio.create_task(look_after_the_first_lease())
    assert await looking is True
    assert execute(notes, "select score from public.notes") == [(1,)]


async def test_a_claim_loop_that_ended_shows_in_health(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as (client, service):

        async def end(_: object) -> None:
            raise asyncio.CancelledError

        monkeypatch.setattr(service.worker, "_turn", end)
        assert service.loop is not None
        await until(service.loop.done)
        health = await client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "stopped")


async def test_an_hour_without_the_database_does_not_end_the_loop(
    notes: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as (_, service):
        failures = 0

        async def fail(_: object) -> None:
            nonlocal failures
            failures += 1
            raise psycopg.OperationalError("away")

        async def no_pause(_: object, __: float) -> bool:
            await asyncio.sleep(0)
            return False

        turn = service.worker._turn
        monkeypatch.setattr(service.worker, "_first_of", no_pause)
        monkeypatch.setattr(service.worker, "_turn", fail)
        await until(lambda: failures > 1100, seconds=60)
        monkeypatch.setattr(service.worker, "_turn", turn)
        execute(notes, "insert into public.notes (x) values (3)")
        await settled(notes)


async def test_without_listen_it_polls_and_shares_no_session_state(
    notes: str, start: Start
) -> None:
    async with start(listen=False, poll_seconds=0.05):
        execute(notes, "insert into public.notes (x) values (7)")
        await settled(notes, "select 1 from public.notes where score = 7")
        assert execute(
            notes,
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and application_name like '% sleeper'",
        ) == [(0,)]


async def test_a_model_that_hangs_with_all_its_hands_holds_up_no_other(
    notes: str, start: Start
) -> None:
    execute(notes, ECHOES)
    async with start(concurrency=1, poll_seconds=30):
        model: FaultyModel = models.load("faulty")  # type: ignore[assignment]
        execute(notes, "insert into public.notes (x, fault) values (1, 'hang')")
        await until(lambda: bool(model.batches))
        execute(notes, "insert into public.notes (x) values (2)")
        for number in (1, 2):
            execute(notes, f"insert into public.echoes (id, x) values ({number}, 7)")
            await settled(notes, f"select 1 from public.echoes where id = {number} and score = 7")
        assert model.batches == [1]
        model.release.set()
        await settled(notes)


async def test_full_batches_one_after_another_are_told(
    notes: str, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    # A lease that ran out on a busy machine would come back as a smaller batch.
    execute(notes, "update ml.models set lease_seconds = 60")
    execute(notes, "insert into public.notes (x) select 1 from generate_series(1, 500)")
    async with start(claim_limit=16):
        await settled(notes)
    said = [line for line in capsys.readouterr().out.splitlines() if "full batches" in line]
    assert len(said) == 1  # after twenty, of the thirty-one that were full
    assert "full_batches=20" in said[0]


async def test_a_heartbeat_says_how_much_was_done(notes: str, start: Start) -> None:
    async with start():
        execute(notes, "insert into public.notes (x) select 1 from generate_series(1, 50)")
        await settled(notes, "select 1 from ml.workers where last_done_at is not null")
        await settled(notes)
    ((last,),) = execute(notes, "select (private.health_report()).last_prediction_at is not null")
    assert last is True


ASLEEP = """
select 1 from pg_locks
where locktype = 'advisory' and mode = 'ExclusiveLock' and granted
  and (classid, objid) = (20261120, 1)
  and database = (select oid from pg_database where datname = current_database())
"""


async def test_a_hand_that_comes_free_while_falling_asleep_is_used_at_once(
    notes: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start(concurrency=1, poll_seconds=30) as (_, service):
        model: FaultyModel = models.load("faulty")  # type: ignore[assignment]
        execute(notes, "insert into public.notes (x, fault) values (1, 'hang')")
        await until(lambda: bool(model.batches))
        await settled(notes, ASLEEP)
        claim, looks = service.database.claim, 0

        async def claim_and_dawdle(limit: int, batches: dict[str, int], *rest: Any) -> Any:
            nonlocal looks
            found = await claim(limit, batches, *rest)
            looks += batches["faulty"] == 0
            if looks == 2:  # the last look before the sleep
                model.release.set()
                await until(lambda: service.worker._hands["faulty"].free == 1)
            return found

        monkeypatch.setattr(service.database, "claim", claim_and_dawdle)
        execute(notes, "insert into public.notes (x) values (2)")
        await settled(notes)
