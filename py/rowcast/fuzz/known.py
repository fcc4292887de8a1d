"""Calls that work, for functions that want more than values of the right types.

What is behind a check is reached only by arguments that pass it: an id of one's own, a name that is
there, a document that is whole. The run sends these as they are and with one place changed.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from rowcast.fuzz.people import Person

Arguments = dict[str, Any]

_LIMIT: Arguments = {
    "p_name": "fuzzed",
    "p_capacity": 100,
    "p_refill_per_second": 50,
    "p_path": "/rpc/hello",
}
_PICKUP: Arguments = {"p_origin_lat": 1, "p_origin_lng": 1, "p_dest_lat": 1.1, "p_dest_lng": 1.1}


@dataclass(frozen=True, slots=True)
class Ground:
    """Who calls, and the ward: whom those change who have a right to change others."""

    client: httpx.Client
    person: Person
    ward: Person

    def ask(self, function: str, person: Person | None = None, **arguments: Any) -> Any:
        """What a function answers; None where it refuses."""
        headers = (person or self.person).headers
        answer = self.client.post(f"/rest/v1/rpc/{function}", headers=headers, json=arguments)
        return answer.json() if answer.is_success and answer.content else None

    def ids(self, path: str) -> list[Any]:
        """Ids that the caller reads at a path."""
        answer = self.client.get(f"/rest/v1{path}", headers=self.person.headers)
        rows = answer.json() if answer.is_success else []
        return [row["id"] for row in rows if "id" in row]


def calls(ground: Ground, path: str) -> list[Arguments]:
    """Calls of the function at this path that work for somebody who may call it."""
    make = _KNOWN.get(path.removeprefix("/rpc/"))
    return make(ground) if make else []


def _account(**more: Any) -> Arguments:
    return {"email": f"fuzz-{secrets.token_hex(8)}@example.com", **more}


def _document() -> Arguments:
    """An export, as request_export() gives it, of an account that is not there."""
    person = str(uuid.uuid4())
    return {
        "format": "rowcast.personal-data", "version": 1, "complete": True, "user_id": person,
        "data": {
            "auth.users": [_account(id=person, raw_user_meta_data={"display_name": "Ann"})],
            "public.profiles": [{"id": person, "display_name": "Ann", "locale": "en"}],
        },
    }  # fmt: skip


def _api_keys(ground: Ground) -> list[Arguments]:
    """A key to revoke; older ones go, for a person may have twenty."""
    for key in ground.ask("my_api_keys") or ():
        ground.ask("revoke_api_key", p_id=key["id"])
    made = ground.ask("create_api_key", p_name="fuzzed")
    return [{"p_id": made["id"]}] if made else []


def _new_key(ground: Ground) -> list[Arguments]:
    _api_keys(ground)
    return [{"p_name": "robot"}, {"p_name": "robot", "p_scopes": ["read", "write"]}]


def _export_page(ground: Ground) -> list[Arguments]:
    ground.ask("request_export")  # refused after a few; then there is an older one
    exports = ground.ids("/export_requests?order=requested_at.desc&limit=1")
    profile = {"id": ground.person.user_id}
    return [
        {"p_export_id": export, "p_table": "public.profiles", "p_after": after}
        for export in exports
        for after in ({}, profile)
    ]


def _sign_in(ground: Ground) -> list[Arguments]:
    return [{"p_id": row, "p_was_me": False} for row in ground.ids("/rpc/my_sign_ins?p_limit=2")]


def _pickup(ground: Ground) -> list[Arguments]:
    made = ground.ask("request_pickup", **_PICKUP)
    return [{"p_id": made["id"]}] if made else []


def _wards_pickup(ground: Ground) -> list[Arguments]:
    made = ground.ask("request_pickup", ground.ward, **_PICKUP)
    steps = ("assigned", "picked_up", "completed")
    return [{"p_id": made["id"], "p_status": step} for step in steps] if made else []


def _log(ground: Ground) -> list[Arguments]:
    """The log of a person, of a table, and its second page."""
    found = ground.ask("audit_trail", p_limit=1) or ()
    pages = [{"p_before": row["created_at"], "p_before_id": row["id"]} for row in found]
    ward = {"p_user_id": ground.ward.user_id, "p_limit": 5}
    return [{}, ward, {"p_table": "public.profiles", "p_action": "update"}, *pages]


def _heads(ground: Ground) -> list[Arguments]:
    found = ground.ask("verify_audit_log") or ()
    return [{}, *({"p_heads": [row["head"]]} for row in found if row.get("head"))]


def _deletion(ground: Ground) -> list[Arguments]:
    ground.ask("request_deletion")
    return [{}]


def _limit(ground: Ground) -> list[Arguments]:
    ground.ask("set_rate_limit", **_LIMIT)
    return [{"p_name": "fuzzed"}]


def _leaver(ground: Ground) -> list[Arguments]:
    made = ground.ask("make_account", p_account=_account())
    return [{"p_user_id": made}, {"p_user_id": made, "p_cause": "request"}] if made else []


def _ward(*more: Arguments) -> Callable[[Ground], list[Arguments]]:
    return lambda ground: [{"p_user_id": ground.ward.user_id, **each} for each in more or ({},)]


def _plain(*each: Arguments) -> Callable[[Ground], list[Arguments]]:
    return lambda _: list(each)


_KNOWN: Mapping[str, Callable[[Ground], list[Arguments]]] = {
    "admin_sign_out": _ward(),
    "admin_update_user": _ward(
        {"p_changes": {"display_name": "New", "locale": "de"}},
        {"p_changes": {"banned_until": "2100-01-01T00:00:00Z"}},
        {"p_changes": {"banned_until": None}},
    ),
    "advance_pickup": _wards_pickup,
    "audit_trail": _log,
    "cancel_deletion": _deletion,
    "cancel_pickup": _pickup,
    "check_erasable": _ward(),
    "create_api_key": _new_key,
    "erase_user": _leaver,
    "export_page": _export_page,
    "flag": _plain({"p_name": "registration"}),
    "get_pickup": _pickup,
    "get_user": _ward(),
    "import_account": lambda _: [{"p_document": _document()} for _ in range(6)],
    "list_users": _plain({}, {"p_search": "Ann", "p_page": 1}),
    "make_account": lambda _: [
        *({"p_account": _account()} for _ in range(3)),
        {"p_account": _account(), "p_password": "correct horse battery"},
    ],
    "mark_notifications_read": lambda ground: [{"p_ids": ground.ids("/notifications?limit=3")}],
    "may_delete_user": _ward(),
    "may_predict": _plain({"p_model": "eta"}),
    "mute_notifications": _plain(
        *({"p_kind": "announcement", "p_muted": m} for m in (True, False))
    ),
    "note_deletion_failure": _ward({"p_error": "the disk is full"}),
    "notify_many": lambda ground: [
        {"p_user_ids": [ground.ward.user_id], "p_kind": "account", "p_data": {"a": 1}},
        {
            "p_user_ids": [ground.ward.user_id],
            "p_kind": "announcement",
            "p_title": "T",
            "p_key": "k",
        },
    ],
    "owned_objects": _ward(),
    "quote_eta": _plain(_PICKUP),
    "remove_rate_limit": _limit,
    "report_sign_in": _sign_in,
    "request_pickup": _plain(_PICKUP),
    "revoke_api_key": _api_keys,
    "revoke_session": lambda ground: [
        {"p_session_id": session} for session in ground.ids("/rpc/my_sessions")
    ],
    "set_flag": _plain({"p_name": "registration", "p_enabled": True}),
    "set_rate_limit": _plain(_LIMIT),
    "set_role": _ward({"p_role": "support"}, {"p_role": "support", "p_granted": False}),
    "update_me": _plain({"p_changes": {"display_name": "Ann", "time_zone": "Europe/Berlin"}}),
    "verify_audit_log": _heads,
}


# --- what these calls may leave behind -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Knobs:
    """Flags and limits as they were: a sign-up that is refused would end the run."""

    flags: Mapping[str, bool]
    limits: Mapping[str, Arguments]

    @classmethod
    def read(cls, backend: Ground) -> Knobs:
        """How they stand now."""
        flags = {row["name"]: row["enabled"] for row in backend.ask("feature_flags") or ()}
        names = ("name", "capacity", "refill_per_second", "caller", "for_reads", "path")
        limits = {
            row["name"]: {f"p_{name}": row[name] for name in names}
            for row in backend.ask("rate_limits") or ()
        }
        return cls(flags, limits)

    def restore(self, backend: Ground) -> None:
        """Set back what differs."""
        now = Knobs.read(backend)
        for name, enabled in self.flags.items():
            if now.flags.get(name) != enabled:
                backend.ask("set_flag", p_name=name, p_enabled=enabled)
        for name in now.limits:
            if now.limits[name] != self.limits.get(name):
                backend.ask("remove_rate_limit", p_name=name)
        for name, limit in self.limits.items():
            if now.limits.get(name) != limit:
                backend.ask("set_rate_limit", **limit)


KNOBS = frozenset({"/rpc/set_flag", "/rpc/set_rate_limit", "/rpc/remove_rate_limit"})
