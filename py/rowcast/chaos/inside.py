"""All that chaos knows of the pipeline's inside: what is owed, and how to break a guard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

# What is still owed, as a view of one row a job.
QUEUE = "create view ledger.queue as select * from ml.queue"

COMMIT = (
    "ml.commit(uuid, jsonb, text, integer[], double precision[], double precision[], bigint, text)"
)


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard in the text of some functions, and what to put in its place."""

    functions: tuple[str, ...]
    text: str
    without: str
    also: str = ""
    """A statement to run beside it."""


GUARDS = {
    # The answer is written whatever the row says now.
    "fence": Guard((COMMIT,), r"and f\.hash = j\.input_hash", ""),
    # Whoever once had a batch may commit, though another has its jobs now.
    "token": Guard(
        (COMMIT,),
        r"where x\.token = p_token for update",
        "where x.token = p_token or cardinality(x.jobs) = cardinality(v_outputs)"
        " and not exists (select from ml.leases as y where y.token = p_token) for update",
    ),
    # Every write owes an answer of its own, also while the last one is still owed.
    "coalescing": Guard(
        ("ml.tg_item_score__insert()", "ml.tg_item_score__update()"),
        r"on conflict .*?(?=;\s+if found)",
        "",
        also="alter table ml.jobs drop constraint jobs_pkey",
    ),
}


def weaken(connection: Connection, guard: Guard) -> None:
    """Take a guard out of its functions, to show that the ledger would notice."""
    for function in guard.functions:
        row = connection.execute(
            "select pg_get_functiondef(%s::regprocedure)", [function]
        ).fetchone()
        assert row is not None
        broken, count = re.subn(guard.text, guard.without, row[0], flags=re.DOTALL)
        if count != 1:
            raise LookupError(f"{function} holds {guard.text!r} {count} times")
        connection.execute(broken.encode(), prepare=False)
    if guard.also:
        connection.execute(guard.also.encode())
