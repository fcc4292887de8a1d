"""Sign-ins are noted without ever standing in the way, and judged by what came before."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from rowcast.models.signin import SignInModel, parse
from rowcast.models.signin_artefact import load
from rowcast.models.signin_features import FEATURES, matrix
from tests.conftest import TEMPLATE
from tests.db.pipeline import Worker
from tests.personas import as_anon, as_service, as_user, make_user, refused

if TYPE_CHECKING:
    from uuid import UUID

    from tests.conftest import Server

Connection = psycopg.Connection[tuple[Any, ...]]

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36"
)
CHROME_NEXT = CHROME.replace("141", "142")
HOME, FAR, UNKNOWN = "192.0.2.7", "198.51.100.9", "203.0.113.1"


@pytest.fixture
def networks(db: Connection) -> Connection:
    """Two places, one inside a larger network that says otherwise."""
    db.execute(
        "insert into private.ip_networks (network, country, lat, lng) values"
        " ('192.0.0.0/16', 'FR', 48.9, 2.3), ('192.0.2.0/24', 'DE', 52.52, 13.40),"
        " ('198.51.100.0/24', 'BR', -23.55, -46.63)"
    )
    return db


def sign_in(
    db: Connection, user: UUID, ip: str | None = HOME, agent: str | None = CHROME, hours: float = 0
) -> tuple[int, UUID]:
    """A session as Auth inserts it, so many hours ago; the sign-in's id and the session's."""
    session = uuid.uuid4()
    db.execute(
        "insert into auth.sessions (id, user_id, ip, user_agent) values (%s, %s, %s, %s)",
        [session, user, ip, agent],
    )
    found = db.execute(
        "update public.login_events set at = now() - make_interval(secs => %s)"
        " where session_id = %s returning id",
        [3600 * hours, session],
    ).fetchone()
    assert found is not None
    return found[0], session


def fail(db: Connection, user: UUID | str, ip: str | None = FAR, valid: Any = False) -> Any:
    """A password as Auth reports it to its hook."""
    event = {"user_id": str(user), "valid": valid, "metadata": {"ip_address": ip}}
    return hook(db, json.dumps(event))


def hook(db: Connection, event: str) -> Any:
    answer = db.execute("select private.hook_password_verification_attempt(%s)", [event]).fetchone()
    assert answer is not None
    return answer[0]


def events(db: Connection, user: UUID, columns: str = "succeeded") -> list[tuple[Any, ...]]:
    return db.execute(
        f"select {columns} from public.login_events where user_id = %s order by id", [user]
    ).fetchall()


def input_of(db: Connection, event: int) -> dict[str, Any]:
    found = db.execute(
        "select private.sign_in_input(t) from public.login_events as t where id = %s", [event]
    ).fetchone()
    assert found is not None
    return dict(found[0])


def output(risk: float) -> dict[str, Any]:
    return {"risk": risk, "reasons": ["new_device", "new_place"], "parts": {"new_device": 2.5}}


# What is noted


def test_a_session_leaves_a_coarse_note(networks: Connection, rider: UUID) -> None:
    sign_in(networks, rider)
    columns = "succeeded, country, cell_lat, cell_lng, user_agent_family, length(ip_hash)"
    assert events(networks, rider, columns) == [(True, "DE", 52.75, 13.25, "chrome", 16)]
    (row,) = networks.execute(
        "select to_jsonb(e)::text from public.login_events as e where user_id = %s", [rider]
    ).fetchall()
    assert HOME not in row[0]
    assert "Mozilla" not in row[0]


def test_an_address_that_no_network_holds_is_an_unknown_place(
    networks: Connection, rider: UUID
) -> None:
    for ip in (UNKNOWN, None):
        sign_in(networks, rider, ip, agent=None)
    columns = "country, cell_lat, ip_hash is null, device_hash is null, user_agent_family"
    assert events(networks, rider, columns) == [
        (None, None, False, True, None),
        (None, None, True, True, None),
    ]


def test_an_update_of_the_browser_is_no_new_device(
    networks: Connection, rider: UUID, other: UUID
) -> None:
    sign_in(networks, rider, agent=CHROME)
    sign_in(networks, rider, agent=CHROME_NEXT)
    sign_in(networks, other, agent=CHROME)
    (first,), (second,) = events(networks, rider, "device_hash")
    ((others,),) = events(networks, other, "device_hash")
    assert first == second
    assert first != others  # nobody's devices can be compared with another's


def test_addresses_compare_between_people_and_phones_keep_theirs(
    networks: Connection, rider: UUID, other: UUID
) -> None:
    for ip in (HOME, "2001:db8:1:2:3::4", "2001:db8:1:2:ffff::9", "2001:db8:1:3::4"):
        sign_in(networks, rider, ip)
    sign_in(networks, other, HOME)
    v4, one, same, next_door = (row[0] for row in events(networks, rider, "ip_hash"))
    assert events(networks, other, "ip_hash") == [(v4,)]
    assert one == same != next_door


def test_a_hash_cannot_be_made_without_the_key(networks: Connection, rider: UUID) -> None:
    sign_in(networks, rider)
    found = networks.execute(
        "select count(*) from public.login_events as e, lateral (values"
        " (sha256(convert_to(%s, 'UTF8'))), (decode(md5(%s), 'hex'))) as g (guess)"
        " where substr(g.guess, 1, 16) = e.ip_hash",
        [HOME, HOME],
    ).fetchone()
    assert found == (0,)
    networks.execute("delete from vault.secrets where name = 'rowcast_sign_in_key'")
    sign_in(networks, rider)
    assert events(networks, rider, "ip_hash is null") == [(False,), (True,)]


# A sign-in is never blocked


def test_a_broken_table_does_not_block_a_sign_in(db: Connection, rider: UUID) -> None:
    db.execute("alter table public.login_events add constraint broken check (false) not valid")
    db.execute("insert into auth.sessions (id, user_id) values (gen_random_uuid(), %s)", [rider])
    assert db.execute("select count(*) from auth.sessions where user_id = %s", [rider]).fetchone()
    assert events(db, rider) == []
    assert fail(db, rider) == {"decision": "continue"}


def test_a_locked_table_does_not_block_a_sign_in(connect: Any) -> None:
    holder, auth = connect(), connect()
    user = make_user(auth)
    with holder.transaction():
        holder.execute("lock table public.login_events in access exclusive mode")
        auth.execute(
            "insert into auth.sessions (id, user_id) values (gen_random_uuid(), %s)", [user]
        )
        assert fail(auth, user) == {"decision": "continue"}
    assert events(auth, user) == []


@pytest.mark.parametrize(
    "event",
    [
        "{}",
        "null",
        "[]",
        '{"valid": false}',
        '{"valid": false, "user_id": "x"}',
        '{"valid": false, "user_id": "00000000-0000-4000-8000-000000000000"}',
        '{"valid": "maybe", "user_id": 1, "metadata": []}',
    ],
)
def test_whatever_the_hook_is_told_auth_goes_on(db: Connection, event: str) -> None:
    assert hook(db, event) == {"decision": "continue"}


def test_a_failed_password_is_noted_and_a_right_one_is_its_sessions(
    networks: Connection, rider: UUID
) -> None:
    assert fail(networks, rider) == {"decision": "continue"}
    assert fail(networks, rider, ip="not an address") == {"decision": "continue"}
    assert fail(networks, rider, valid=True) == {"decision": "continue"}
    found = events(networks, rider, "succeeded, country, ip_hash is null")
    assert found == [(False, "BR", False), (False, None, True)]


def test_auth_calls_the_hook_under_its_own_role_and_may_do_nothing_else(server: Server) -> None:
    with psycopg.connect(server.admin_url, dbname=TEMPLATE) as admin:
        user = make_user(admin)
        admin.execute("set local role supabase_auth_admin")
        assert fail(admin, user) == {"decision": "continue"}
        with refused(admin, "42501"):
            admin.execute("select from public.login_events")
        with refused(admin, "42501"):
            admin.execute("select private.record_sign_in(%s, null, true, null, null)", [user])
        admin.execute("insert into auth.sessions (id, user_id) values (%s, %s)", [user, user])
        admin.execute("reset role")
        assert events(admin, user) == [(False,), (True,)]
        admin.rollback()


def test_guessing_does_not_fill_the_table(db: Connection, rider: UUID) -> None:
    for _ in range(65):
        fail(db, rider)
    assert len(events(db, rider)) == 60


# What the model is told


def test_the_past_is_told_in_codes_and_the_owner_may_disown(
    networks: Connection, rider: UUID
) -> None:
    sign_in(networks, rider, hours=30)
    sign_in(networks, rider, FAR, hours=20)
    stolen, _ = sign_in(networks, rider, UNKNOWN, "curl/8", hours=10)
    last, _ = sign_in(networks, rider, agent=CHROME_NEXT)
    told = input_of(networks, last)
    assert told["past"]["address"] == [1, 2, 0]
    assert told["past"]["device"] == [1, 0, 0]
    assert told["past"]["lat"] == [None, -23.75, 52.75]
    networks.execute("update public.login_events set confirmed = false where id = %s", [stolen])
    assert input_of(networks, last)["past"]["address"] == [1, 0]


def test_what_comes_later_changes_nothing(networks: Connection, rider: UUID, other: UUID) -> None:
    sign_in(networks, rider, hours=30)
    fail(networks, rider)
    networks.execute(
        "update public.login_events set at = now() - interval '12 hours' where not succeeded"
    )
    event, _ = sign_in(networks, rider, FAR, hours=10)
    before = input_of(networks, event)
    assert before["failures_here"] == 0  # an hour is over
    for user in (rider, other):
        sign_in(networks, user, FAR, "curl/8", hours=5)
        fail(networks, user)
    assert input_of(networks, event) == before


def test_failures_are_counted_by_whose_they_are(
    networks: Connection, rider: UUID, other: UUID
) -> None:
    fail(networks, rider, FAR)  # from elsewhere, never made good
    fail(networks, rider, UNKNOWN)  # made good below
    networks.execute("update public.login_events set at = now() - interval '30 minutes'")
    sign_in(networks, rider, UNKNOWN, hours=0.2)
    fail(networks, other, HOME)
    fail(networks, rider, HOME)
    networks.execute(
        "update public.login_events set at = now() - interval '1 minute'"
        " where at > now() - interval '5 minutes'"
    )
    sign_in(networks, other, HOME, hours=0.01)
    event, _ = sign_in(networks, rider, HOME)
    told = input_of(networks, event)
    counts = ("failures_here", "failures_elsewhere", "address_tried", "address_shared")
    assert [told[name] for name in counts] == [1, 1, 1, 1]


def test_an_address_is_as_old_as_its_oldest_sign_in_that_is_kept(
    networks: Connection, rider: UUID, other: UUID
) -> None:
    sign_in(networks, other, FAR, hours=24 * 399)
    event, _ = sign_in(networks, rider, FAR)
    assert input_of(networks, event)["address_shared"] == 1


def test_a_first_sign_in_has_no_past(db: Connection, rider: UUID) -> None:
    event, _ = sign_in(db, rider, ip=None, agent=None)
    told = input_of(db, event)
    assert told["past"] == {}
    assert SignInModel().predict([told])[0].output["risk"] < 0.1


def test_a_flood_of_failures_does_not_hide_the_past(networks: Connection, rider: UUID) -> None:
    sign_in(networks, rider, hours=48)
    networks.execute(
        "insert into public.login_events (user_id, at, succeeded)"
        " select %s, now() - make_interval(secs => n), false from generate_series(1, 500) as n",
        [rider],
    )
    event, _ = sign_in(networks, rider)
    assert len(input_of(networks, event)["past"]["at"]) == 1


def test_the_model_reads_what_the_database_tells(networks: Connection, rider: UUID) -> None:
    for day in range(1, 60):
        sign_in(networks, rider, hours=24.0 * day)
    usual, _ = sign_in(networks, rider)
    odd, _ = sign_in(networks, rider, FAR, "curl/8")
    inputs = [input_of(networks, event) for event in (usual, odd)]
    assert len(inputs[1]["past"]["at"]) == 50
    features = matrix(parse(inputs))
    assert features[1, FEATURES.index("fast_travel")] > 900
    low, high = (p.output for p in SignInModel().predict(inputs))
    assert low["risk"] < 0.05 < 0.5 < high["risk"]
    assert {"new_device", "lonely_address"} & set(high["reasons"])


# The answer


def test_the_risk_reaches_the_row_and_an_alarm_is_raised_once(db: Connection, rider: UUID) -> None:
    model = Worker(db, {"signin": "1"})
    quiet, _ = sign_in(db, rider)
    loud, _ = sign_in(db, rider, FAR)
    fail(db, rider)
    jobs = {int(job.row_key): job for job in model.claim()}
    assert set(jobs) == {quiet, loud}  # a failure is owed no prediction
    assert model.commit(jobs[quiet], output=output(0.01)) == ["done"]
    assert model.commit(jobs[loud], output=output(0.9)) == ["done"]
    rows = events(db, rider, "risk, alarmed, reasons, model_version")
    assert rows[0] == (0.01, False, ["new_device", "new_place"], "1")
    assert rows[1][:2] == (0.9, True)
    assert rows[2] == (None, False, None, None)


def test_people_are_told_once_of_an_alarm(db: Connection, rider: UUID) -> None:
    event, _ = sign_in(db, rider, FAR)
    model = Worker(db, {"signin": "1"})
    model.commit(model.claim_one(), output=output(0.9))
    told = "select kind, data ->> 'login_event_id' from public.notifications where user_id = %s"
    assert db.execute(told, [rider]).fetchall() == [("account", str(event))]
    apply = "select private.apply_sign_in_risk(array[%s], array[%s::jsonb], '2')"
    db.execute(apply, [str(event), json.dumps(output(0.95))])
    assert len(db.execute(told, [rider]).fetchall()) == 1

    # Telling fails now, and the risk is written all the same.
    db.execute("alter table public.notifications add constraint broken check (false) not valid")
    other, _ = sign_in(db, rider, FAR)
    model.commit(model.claim_one(), output=output(0.8))
    assert events(db, rider, "id, risk, alarmed")[1] == (other, 0.8, True)


def test_receipts_of_sign_ins_are_nobodys(db: Connection, rider: UUID) -> None:
    model = Worker(db, {"signin": "1"})
    sign_in(db, rider)
    model.commit(model.claim_one(), output=output(0.9))
    with as_user(db, rider):
        assert db.execute("select from public.predictions").fetchall() == []


def test_old_sign_ins_are_scored_anew_without_alarms(db: Connection, rider: UUID) -> None:
    event, _ = sign_in(db, rider, hours=48)
    model = Worker(db, {"signin": "1"})
    model.commit(model.claim_one(), output=output(0.9))
    assert events(db, rider, "id, risk, alarmed") == [(event, 0.9, False)]


def test_the_threshold_is_the_artefacts(db: Connection) -> None:
    found = db.execute("select alarm_from from private.sign_in_policy").fetchall()
    assert found == [(load().alarm_from,)]


def test_sign_ins_are_forgotten_after_their_keep(db: Connection, rider: UUID) -> None:
    sign_in(db, rider, hours=24 * 401)
    kept, _ = sign_in(db, rider, hours=24 * 399)
    assert db.execute("select private.forget_sign_ins()").fetchone() == (1,)
    assert events(db, rider, "id") == [(kept,)]


def test_sign_ins_go_with_their_account(db: Connection, rider: UUID) -> None:
    sign_in(db, rider)
    db.execute("delete from auth.users where id = %s", [rider])
    assert events(db, rider) == []


# Whose it is


def test_my_sign_ins_are_mine_newest_first(db: Connection, rider: UUID, other: UUID) -> None:
    old, _ = sign_in(db, rider, hours=2)
    new, _ = sign_in(db, rider)
    sign_in(db, other)
    with as_user(db, rider):
        found = db.execute("select id from public.my_sign_ins()").fetchall()
        assert found == [(new,), (old,)]
        assert len(db.execute("select from public.my_sign_ins(1)").fetchall()) == 1
        for limit in (0, -1, 501, None):
            with refused(db, "PT422", "LIMIT_OUT_OF_RANGE"):
                db.execute("select from public.my_sign_ins(%s)", [limit])


def test_holders_of_users_read_ask_for_a_persons(db: Connection, rider: UUID, other: UUID) -> None:
    event, _ = sign_in(db, rider)
    sign_in(db, other)
    ask = "select id from public.user_sign_ins(%s)"
    with as_user(db, other), refused(db, "PT403", "PERMISSION_DENIED"):
        db.execute(ask, [rider])
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'support')", [other])
    with as_user(db, other):
        assert db.execute(ask, [rider]).fetchall() == [(event,)]
        assert len(db.execute("select from public.login_events").fetchall()) == 1
        with refused(db, "PT422", "LIMIT_OUT_OF_RANGE"):
            db.execute("select public.user_sign_ins(%s, 501)", [rider])


def test_nobody_has_everybodys_sign_ins_looked_through(db: Connection, rider: UUID) -> None:
    """A list that names no owner would read the whole table, were there an OR in its policy."""
    db.execute("set local enable_seqscan = off")
    with as_user(db, rider):
        plan = db.execute("explain select * from public.login_events").fetchall()
    assert "Index Cond: (user_id =" in str(plan)


@pytest.mark.parametrize("was_me", [True, False])
def test_the_owners_word_is_the_truth(db: Connection, rider: UUID, was_me: bool) -> None:
    _, before = sign_in(db, rider, hours=1)
    model = Worker(db, {"signin": "1"})
    model.commit(model.claim_one(), output=output(0.01))
    event, _ = sign_in(db, rider)
    model.commit(model.claim_one(), output=output(0.9))
    with as_user(db, rider, session_id=str(before)):
        db.execute("select public.report_sign_in(%s, %s)", [event, not was_me])
        db.execute("select public.report_sign_in(%s, %s)", [event, was_me])
    found = events(db, rider, "confirmed, confirmed_at is not null")
    assert found == [(None, False), (was_me, True)]
    outcome = db.execute(
        "select owner_id, truth, predicted ->> 'risk', prediction_id is not null"
        " from public.prediction_outcomes where prediction = 'sign_in_risk' and row_key = %s",
        [str(event)],
    ).fetchall()
    assert outcome == [(rider, {"was_me": was_me}, "0.9", True)]


def test_reporting_somebody_elses_sign_in(db: Connection, rider: UUID, other: UUID) -> None:
    event, _ = sign_in(db, rider)
    with as_user(db, other):
        with refused(db, "PT404", "SIGN_IN_NOT_FOUND"):
            db.execute("select public.report_sign_in(%s, true)", [event])
        with refused(db, "PT422", "ANSWER_MISSING"):
            db.execute("select public.report_sign_in(%s, null)", [event])
    with as_anon(db), refused(db, "42501"):
        db.execute("select public.report_sign_in(%s, true)", [event])
    assert events(db, rider, "confirmed") == [(None,)]


def test_a_thief_does_not_vouch_for_himself(db: Connection, rider: UUID) -> None:
    event, session = sign_in(db, rider, FAR)
    again, second = sign_in(db, rider, FAR)
    model = Worker(db, {"signin": "1"})
    model.commit(*model.claim(), output=output(0.9))
    for mine, about in ((session, event), (second, event), (session, again), (None, event)):
        with (
            as_user(db, rider, **({"session_id": str(mine)} if mine else {})),
            refused(db, "PT403", "SESSION_UNDER_SUSPICION"),
        ):
            db.execute("select public.report_sign_in(%s, true)", [about])
    assert events(db, rider, "confirmed") == [(None,), (None,)]


def answer(db: Connection, user: UUID, session: UUID, event: int, was_me: bool) -> None:
    with as_user(db, user, session_id=str(session)):
        db.execute("select public.report_sign_in(%s, %s)", [event, was_me])


def test_the_thiefs_second_sign_in_does_not_vouch_for_the_first(
    db: Connection, rider: UUID
) -> None:
    """The first taught that his place and device are known, so the second raises no alarm."""
    _, home = sign_in(db, rider, HOME, hours=9)
    event, _ = sign_in(db, rider, FAR, hours=2)
    _, second = sign_in(db, rider, FAR, hours=1)
    db.execute("update public.login_events set alarmed = true where id = %s", [event])
    with refused(db, "PT403", "SESSION_UNDER_SUSPICION"):
        answer(db, rider, second, event, was_me=True)
    answer(db, rider, home, event, was_me=True)


def test_a_suspect_session_does_not_disown_the_owners_past(db: Connection, rider: UUID) -> None:
    """With that gone, the thief's would be the only place and device that are known."""
    owners, _ = sign_in(db, rider, HOME, hours=9)
    event, thief = sign_in(db, rider, FAR, hours=2)
    later, _ = sign_in(db, rider, HOME, hours=1)
    db.execute("update public.login_events set alarmed = true where id = %s", [event])
    with refused(db, "PT403", "SESSION_UNDER_SUSPICION"):
        answer(db, rider, thief, owners, was_me=False)
    answer(db, rider, thief, later, was_me=False)  # as an owner on a journey would
    answer(db, rider, thief, event, was_me=False)


def test_nobody_writes_a_risk(db: Connection, rider: UUID) -> None:
    sign_in(db, rider)
    for statement in (
        "update public.login_events set risk = 0",
        "update public.login_events set confirmed = true",
        "delete from public.login_events",
        "insert into public.login_events (user_id, succeeded) values (auth.uid(), true)",
        "select private.record_sign_in(auth.uid(), null, true, null, null)",
        "select private.hook_password_verification_attempt('{}')",
        "select private.keyed_hash('192.0.2.7')",
        "update private.sign_in_policy set alarm_from = 1",
        "table private.ip_networks",
    ):
        for persona in (as_user(db, rider), as_service(db), as_anon(db)):
            with persona, refused(db, "42501"):
                db.execute(statement)


def test_quality_is_a_query(db: Connection, rider: UUID, other: UUID) -> None:
    _, before = sign_in(db, rider, hours=1)
    model = Worker(db, {"signin": "1"})
    model.commit(model.claim_one(), output=output(0.01))
    for was_me, risk in ((True, 0.9), (False, 0.9), (False, 0.9), (False, 0.01), (None, 0.9)):
        event, _ = sign_in(db, rider)
        model = Worker(db, {"signin": "1"})
        model.commit(model.claim_one(), output=output(risk))
        if was_me is not None:
            with as_user(db, rider, session_id=str(before)):
                db.execute("select public.report_sign_in(%s, %s)", [event, was_me])
    with as_user(db, rider), refused(db, "PT403", "PERMISSION_DENIED"):
        db.execute("select public.sign_in_quality()")
    db.execute("insert into public.user_roles (user_id, role) values (%s, 'support')", [other])
    with as_user(db, other):
        found = db.execute(
            "select alarms, alarms_not_me, alarms_was_me, missed, confirmed_share"
            " from public.sign_in_quality(7)"
        ).fetchone()
        for days in (0, 401, None):
            with refused(db, "PT422", "DAYS_OUT_OF_RANGE"):
                db.execute("select public.sign_in_quality(%s)", [days])
    assert found is not None
    assert [float(value) for value in found] == [4, 2, 1, 1, 0.6667]
