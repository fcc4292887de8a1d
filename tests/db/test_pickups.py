"""Pickups as a rider and an operator's back end have them."""

from __future__ import annotations

import math
import uuid
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rowcast.models.eta_closed_form import closed_form_seconds, haversine_m
from tests.db.pipeline import Connection, Worker, column, eta, pending, pickups, receipts, value
from tests.personas import DENIED, as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from uuid import UUID

HERE = (52.52, 13.40, 52.40, 13.30)
STATUSES = ("requested", "assigned", "picked_up", "completed", "cancelled")
ALLOWED = {
    ("requested", "assigned"),
    ("requested", "cancelled"),
    ("assigned", "requested"),
    ("assigned", "picked_up"),
    ("assigned", "cancelled"),
    ("picked_up", "completed"),
    ("picked_up", "cancelled"),
}
NOT_A_PLACE = (
    math.nan,
    math.inf,
    -math.inf,
    None,
)

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)


def request(
    db: Connection, place: tuple[Any, ...] = HERE, key: str = "k", kind: str = "ride"
) -> Any:
    """What request_pickup answers, by column name."""
    with db.cursor() as cursor:
        cursor.execute(
            "select * from public.request_pickup(%s, %s, %s, %s, %s, %s)", [*place, kind, key]
        )
        row = cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        return dict(zip([c.name for c in cursor.description], row, strict=True))


def count(db: Connection) -> int:
    found: int = value(db, "select count(*) from public.pickup_requests")
    return found


def status_of(db: Connection, pickup: UUID) -> str:
    found: str = value(db, "select status from public.pickup_requests where id = %s", [pickup])
    return found


def advance(db: Connection, pickup: UUID, *statuses: str) -> None:
    with as_service(db):
        for status in statuses:
            db.execute("select public.advance_pickup(%s, %s)", [pickup, status])


# Asking


def test_a_pickup_answers_at_once_with_the_quoted_estimate(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        row = request(db)
        quote = value(db, "select eta_seconds from public.quote_eta(%s, %s, %s, %s)", HERE)
    assert row["eta_seconds"] == row["estimate_seconds"] == quote
    assert row["eta_source"] == "estimate"
    assert row["eta_low_seconds"] is row["eta_high_seconds"] is None
    assert (row["status"], row["kind"]) == ("requested", "ride")


def test_the_rider_comes_from_the_token(db: Connection, rider: UUID, other: UUID) -> None:
    with as_user(db, rider, user_metadata={"sub": str(other)}):
        assert request(db)["user_id"] == rider


def test_kind_and_key_may_be_left_out(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        for _ in range(2):
            db.execute("select public.request_pickup(%s, %s, %s, %s)", HERE)
    assert count(db) == 2


def test_asking_needs_a_user(db: Connection, rider: UUID) -> None:
    with as_anon(db), refused(db, DENIED):
        request(db)
    with as_user(db, rider):
        db.execute("select set_config('request.jwt.claims', '{}', true)")
        with refused(db, "PT401", "NOT_SIGNED_IN"):
            request(db)
    assert count(db) == 0


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("function", ["request_pickup", "quote_eta"])
def test_what_is_no_place_is_refused_and_nothing_is_written(
    db: Connection, rider: UUID, position: int, function: str
) -> None:
    edge = 180 if position % 2 else 90
    for bad in (*NOT_A_PLACE, math.nextafter(edge, 999), math.nextafter(-edge, -999), 1e308):
        place = [bad if n == position else v for n, v in enumerate(HERE)]
        with as_user(db, rider), refused(db, "PT422", "COORDINATE_OUT_OF_RANGE"):
            db.execute(f"select public.{function}(%s, %s, %s, %s)", place)
    assert count(db) == 0
    assert pending(db) == []


@pytest.mark.parametrize(
    "place",
    [(90, 180, 89, -180), (-90, -180, -89, 180), (0, 0, 0, 0), (-0.0, 0.0, 5e-324, -0.0)],
)
def test_the_edges_of_the_earth_are_places(
    db: Connection, rider: UUID, place: tuple[float, ...]
) -> None:
    with as_user(db, rider):
        assert request(db, place)["eta_seconds"] >= 90


def test_a_trip_round_the_world_is_quoted_but_not_booked(db: Connection, rider: UUID) -> None:
    place = (90, 180, -90, -180)
    with as_user(db, rider):
        assert value(db, "select eta_seconds from public.quote_eta(%s, %s, %s, %s)", place) > 604800
        with refused(db, "PT422", "TRIP_TOO_LONG"):
            request(db, place)
    assert count(db) == 0
    assert Worker(db, {"eta": "1"}).claim() == []
    assert pending(db) == []


@pytest.mark.parametrize("key", ["", "x" * 101, None])
def test_a_client_key_has_1_to_100_characters(db: Connection, rider: UUID, key: str | None) -> None:
    with as_user(db, rider), refused(db, "PT422", "CLIENT_KEY_OUT_OF_RANGE"):
        request(db, key=key)  # type: ignore[arg-type]
    assert count(db) == 0


def test_the_same_key_gives_the_same_pickup(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        first = request(db)
        assert request(db) == first
    assert count(db) == 1
    assert len(pending(db)) == 1


def test_a_repeated_request_shows_how_the_pickup_stands_now(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        pickup = request(db)["id"]
    advance(db, pickup, "assigned")
    with as_user(db, rider):
        assert request(db)["status"] == "assigned"


@pytest.mark.parametrize("position", range(4))
def test_a_key_reused_for_another_place_is_refused(
    db: Connection, rider: UUID, position: int
) -> None:
    elsewhere = tuple(v + 0.001 if n == position else v for n, v in enumerate(HERE))
    with as_user(db, rider):
        request(db)
        with refused(db, "PT409", "CLIENT_KEY_REUSED"):
            request(db, elsewhere)
    assert count(db) == 1


def test_a_key_reused_for_another_kind_is_refused(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        request(db)
        with refused(db, "PT409", "CLIENT_KEY_REUSED"):
            request(db, kind="parcel")


def test_two_riders_may_use_the_same_key(db: Connection, rider: UUID, other: UUID) -> None:
    with as_user(db, rider):
        mine = request(db)
    with as_user(db, other):
        theirs = request(db)
    assert mine["id"] != theirs["id"]


# The closed form and its Python twin


@settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(latitudes, longitudes, latitudes, longitudes)
def test_the_closed_form_and_its_python_twin_agree(
    db: Connection, lat: float, lng: float, to_lat: float, to_lng: float
) -> None:
    place = (lat, lng, to_lat, to_lng)
    row = db.execute("select * from public.quote_eta(%s, %s, %s, %s)", place).fetchone()
    assert row is not None
    seconds, metres, source = row
    # Near the antipodes asin turns a rounding of one bit into about 0.1 m.
    assert abs(seconds - float(closed_form_seconds(*place))) <= 0.51
    assert abs(metres - float(haversine_m(*place))) <= 0.7
    assert source == "estimate"


@settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(latitudes, longitudes, latitudes, longitudes)
def test_the_way_back_takes_as_long(
    db: Connection, lat: float, lng: float, to_lat: float, to_lng: float
) -> None:
    quote = "select eta_seconds from public.quote_eta(%s, %s, %s, %s)"
    there = value(db, quote, [lat, lng, to_lat, to_lng])
    back = value(db, quote, [to_lat, to_lng, lat, lng])
    assert abs(there - back) <= 1


@pytest.mark.parametrize(
    ("place", "metres"),
    [
        ((0, 0, 0, 1), 111195),
        ((0, 0, 90, 0), 10007557),
        ((52.5200, 13.4050, 48.8566, 2.3522), 877464),  # Berlin to Paris
        ((10, 179.5, 10, -179.5), 109506),  # across the date line
    ],
)
def test_distances_are_those_of_the_sphere(
    db: Connection, place: tuple[float, ...], metres: int
) -> None:
    found = value(db, "select distance_metres from public.quote_eta(%s, %s, %s, %s)", place)
    assert abs(found - metres) <= 2


# Reading


def test_my_pickups_are_mine_newest_first(db: Connection, rider: UUID, other: UUID) -> None:
    mine = pickups(db, rider, 3)
    pickups(db, other, 2)
    for age, pickup in enumerate(mine):
        db.execute(
            "update public.pickup_requests set requested_at = now() - make_interval(mins => %s)"
            " where id = %s",
            [age, pickup],
        )
    with as_user(db, rider):
        assert column(db, "select id from public.my_pickups()") == mine


def test_my_pickups_is_inlined_so_that_filters_use_the_index(db: Connection, rider: UUID) -> None:
    with as_user(db, rider):
        plan = column(
            db,
            "explain select * from public.my_pickups()"
            " where requested_at > now() - interval '1 day' limit 5",
        )
    assert not any("Function Scan" in line for line in plan), plan


def test_get_pickup_gives_mine(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    with as_user(db, rider):
        assert value(db, "select id from public.get_pickup(%s)", [pickup]) == pickup


@pytest.mark.parametrize("function", ["get_pickup", "cancel_pickup"])
def test_another_riders_pickup_looks_like_none(
    db: Connection, rider: UUID, other: UUID, function: str
) -> None:
    (pickup,) = pickups(db, other)
    with as_user(db, rider):
        for wanted in (pickup, uuid.uuid4(), None):
            with refused(db, "PT404", "PICKUP_NOT_FOUND"):
                db.execute(f"select public.{function}(%s)", [wanted])
    assert status_of(db, pickup) == "requested"


# Calling off


def test_cancelling_calls_off_the_prediction_that_is_owed(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    with as_user(db, rider):
        row = db.execute(
            "select status, cancel_reason, cancelled_at = now() from public.cancel_pickup(%s, %s)",
            [pickup, "changed my mind"],
        ).fetchone()
    assert row == ("cancelled", "changed my mind", True)
    assert pending(db) == []
    assert receipts(db, pickup) == ["cancelled"]


def test_cancelling_while_the_model_runs_keeps_its_answer_out(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    worker = Worker(db, {"eta": "1"})
    job = worker.claim_one()
    with as_user(db, rider):
        db.execute("select public.cancel_pickup(%s)", [pickup])
    assert worker.commit(job, output=eta(600)) == ["stale"]
    assert value(db, "select eta_source from public.pickup_requests") == "estimate"
    assert receipts(db, pickup) == ["cancelled"]


def test_cancelling_twice_answers_the_same(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    with as_user(db, rider):
        first = db.execute("select * from public.cancel_pickup(%s, 'why')", [pickup]).fetchone()
        again = db.execute("select * from public.cancel_pickup(%s, 'else')", [pickup]).fetchone()
    assert again == first
    assert receipts(db, pickup) == ["cancelled"]


def test_a_completed_pickup_cannot_be_called_off(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    advance(db, pickup, "assigned", "picked_up", "completed")
    with as_user(db, rider), refused(db, "PT409", "PICKUP_TRANSITION_REFUSED"):
        db.execute("select public.cancel_pickup(%s)", [pickup])


def test_a_reason_has_at_most_500_characters(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    with as_user(db, rider):
        with refused(db, "PT422", "REASON_TOO_LONG"):
            db.execute("select public.cancel_pickup(%s, repeat('x', 501))", [pickup])
        db.execute("select public.cancel_pickup(%s, repeat('x', 500))", [pickup])


# Status


@pytest.mark.parametrize(("before", "after"), list(product(STATUSES, STATUSES)))
def test_every_pair_of_statuses(db: Connection, rider: UUID, before: str, after: str) -> None:
    (pickup,) = pickups(db, rider)
    with db.transaction():  # to start from any status, the guard is away for a moment
        db.execute("alter table public.pickup_requests disable trigger _100_guard_status")
        db.execute("update public.pickup_requests set status = %s", [before])
        db.execute("alter table public.pickup_requests enable trigger _100_guard_status")

    if before == after or (before, after) in ALLOWED:
        advance(db, pickup, after)
        assert status_of(db, pickup) == after
    else:
        with as_service(db), refused(db, "PT409", "PICKUP_TRANSITION_REFUSED"):
            db.execute("select public.advance_pickup(%s, %s)", [pickup, after])
        assert status_of(db, pickup) == before


def test_the_transition_table_says_what_is_allowed(db: Connection) -> None:
    assert {tuple(r) for r in db.execute("table private.pickup_transitions")} == ALLOWED
    assert tuple(column(db, "select unnest(enum_range(null::public.pickup_status))::text")) == (
        STATUSES
    )


def test_the_database_stamps_what_happened(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    stamps = "select picked_up_at, completed_at, cancelled_at from public.pickup_requests"
    advance(db, pickup, "assigned")
    assert db.execute(stamps).fetchone() == (None, None, None)
    advance(db, pickup, "picked_up", "completed")
    now = value(db, "select now()")
    assert db.execute(stamps).fetchone() == (now, now, None)


def test_only_the_secret_key_moves_a_pickup_on(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    with as_user(db, rider), refused(db, DENIED):
        db.execute("select public.advance_pickup(%s, 'assigned')", [pickup])
    with as_service(db), refused(db, "PT404", "PICKUP_NOT_FOUND"):
        db.execute("select public.advance_pickup(%s, 'assigned')", [uuid.uuid4()])


def test_completion_writes_the_outcome_once(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    worker = Worker(db, {"eta": "1"})
    assert worker.commit(worker.claim_one(), output=eta(700)) == ["done"]
    advance(db, pickup, "assigned", "picked_up")
    db.execute("alter table public.pickup_requests disable trigger _100_guard_status")
    db.execute("update public.pickup_requests set picked_up_at = now() - interval '12 min'")
    db.execute("alter table public.pickup_requests enable trigger _100_guard_status")
    advance(db, pickup, "completed", "completed")

    (outcome,) = db.execute(
        "select o.row_key, o.owner_id, o.predicted, o.truth, p.row_key"
        " from public.prediction_outcomes as o"
        " left join public.predictions as p on p.id = o.prediction_id"
    ).fetchall()
    truth = {"travel_seconds": 720, "estimate_seconds": 900}
    assert outcome == (str(pickup), rider, eta(700), truth, str(pickup))


def test_completion_without_a_prediction_still_keeps_the_truth(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    advance(db, pickup, "assigned", "picked_up", "completed")
    row = db.execute(
        "select prediction_id, predicted, truth ->> 'travel_seconds'"
        " from public.prediction_outcomes"
    ).fetchone()
    assert row == (None, None, "0")


def test_a_finished_pickup_is_not_predicted_any_more(db: Connection, rider: UUID) -> None:
    (pickup,) = pickups(db, rider)
    advance(db, pickup, "assigned", "picked_up", "completed")
    assert Worker(db, {"eta": "1"}).claim() == []
    assert receipts(db, pickup) == ["superseded"]


def test_a_deleted_account_takes_pickups_and_waiting_jobs_along(db: Connection) -> None:
    user = make_user(db)
    pickups(db, user, 2)
    db.execute("delete from auth.users where id = %s", [user])
    assert count(db) == 0
    assert Worker(db, {"eta": "1"}).claim() == []
    assert pending(db) == []
