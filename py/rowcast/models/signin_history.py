"""From a table of sign-ins to what stands before each of them, as the database would gather it.

`private.sign_in_input` does the same in SQL for one sign-in; training uses this. Both look
strictly backwards: what comes after a sign-in changes nothing that is said of it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rowcast.models.eta_closed_form import Floats

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

HISTORY = 50  # successes before this one that are looked at
HERE_SECONDS = 3600.0  # the person's failures from the same address
ELSEWHERE_SECONDS = 7 * 86400.0  # and from others
FORGIVEN_SECONDS = 3600.0  # a failure that the same address made good within this is no failure
ADDRESS_SECONDS = 86400.0  # other people's failures from the address
SHARED_SECONDS = 400 * 86400.0  # other people's successes from it: all that are kept
GRID = 0.5  # degrees; about 50 km


@dataclass(frozen=True, slots=True)
class SignIns:
    """Successes and failures in the order of time; no truth. Unknown places are NaN."""

    person: Numbers
    at: Floats
    ok: Flags
    lat: Floats
    lng: Floats
    device: Numbers
    address: Numbers
    scripted: Flags

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: Flags | Numbers) -> SignIns:
        """Some of the rows."""
        return SignIns(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Contexts:
    """Sign-ins with what came before each. Shape (n), and (n, HISTORY) newest first.

    `past_at` is NaN where there was no earlier success; the other columns count only elsewhere.
    `past_device` and `past_address` are codes: 0 is this sign-in's own, others are equal where
    the devices were, -1 is not known.
    """

    at: Floats
    lat: Floats
    lng: Floats
    scripted: Flags
    device_known: Flags
    address_known: Flags
    failures_here: Floats
    failures_elsewhere: Floats
    address_tried: Floats
    address_shared: Floats
    past_at: Floats
    past_lat: Floats
    past_lng: Floats
    past_device: Numbers
    past_address: Numbers

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: Flags | Numbers | slice) -> Contexts:
        """Some of the sign-ins."""
        return Contexts(*(getattr(self, field.name)[rows] for field in fields(self)))


def coarse(degrees: Floats) -> Floats:
    """The middle of the grid's cell, as `private.coarse_degrees` has it."""
    return np.asarray(np.floor(degrees / GRID) * GRID + GRID / 2)


def contexts(table: SignIns) -> tuple[Contexts, Numbers]:
    """What stands before each success, and the row of the table that it is."""
    rows = np.flatnonzero(table.ok)
    rows = rows[np.lexsort((table.at[rows], table.person[rows]))]
    past, there = _past(table, rows)
    here, elsewhere = _failures(table, rows)
    tried = _others(table, rows, table.take(~table.ok), ADDRESS_SECONDS)
    shared = _others(table, rows, table.take(table.ok), SHARED_SECONDS)
    known = np.ones(len(rows), dtype=np.bool_)
    return (
        Contexts(
            table.at[rows], table.lat[rows], table.lng[rows], table.scripted[rows], known, known,
            here, elsewhere, tried, shared, np.where(there, table.at[past], np.nan),
            np.where(there, table.lat[past], np.nan), np.where(there, table.lng[past], np.nan),
            _codes(table.device, rows, past, there), _codes(table.address, rows, past, there),
        ),
        rows,
    )  # fmt: skip


def _past(table: SignIns, rows: Numbers) -> tuple[Numbers, Flags]:
    """The rows of the person's successes before each, newest first, and whether there is one."""
    person = table.person[rows]
    first = np.searchsorted(person, person)
    place = np.arange(len(rows))[:, None] - 1 - np.arange(HISTORY)
    there = place >= first[:, None]
    return rows[np.maximum(place, 0)], there


def _codes(column: Numbers, rows: Numbers, past: Numbers, there: Flags) -> Numbers:
    """Equal where the values are, 0 where they are this row's own, -1 where there is nothing."""
    codes = 1 + np.where(there, column[past], 0)
    return np.where(there, np.where(column[past] == column[rows][:, None], 0, codes), -1)


def _failures(table: SignIns, rows: Numbers) -> tuple[Floats, Floats]:
    """The person's failures from this address, and those from others that nobody made good."""
    failed, good = table.take(~table.ok), table.take(table.ok)
    mine, made = _Slices(failed.person, failed.at), _Slices(good.person, good.at)
    counts = np.zeros((2, len(rows)))
    for i, row in enumerate(rows.tolist()):
        person, address, at = int(table.person[row]), table.address[row], float(table.at[row])
        for f in mine.since(person, at - ELSEWHERE_SECONDS, at).tolist():
            when = float(failed.at[f])
            if failed.address[f] == address:
                counts[0, i] += when >= at - HERE_SECONDS
                continue
            after = made.since(person, when, min(at, when + FORGIVEN_SECONDS))
            counts[1, i] += not (good.address[after] == failed.address[f]).any()
    return counts[0], counts[1]


def _others(table: SignIns, rows: Numbers, among: SignIns, seconds: float) -> Floats:
    """How many other people have such rows from the same address, up to `seconds` before."""
    at_address = _Slices(among.address, among.at)
    counts = np.zeros(len(rows))
    for i, row in enumerate(rows.tolist()):
        found = at_address.since(int(table.address[row]), table.at[row] - seconds, table.at[row])
        if len(found):
            counts[i] = len(set(among.person[found].tolist()) - {int(table.person[row])})
    return counts


class _Slices:
    """Rows found by key and span of time."""

    def __init__(self, keys: Numbers, at: Floats) -> None:
        self._order = np.lexsort((at, keys))
        self._at = at[self._order]
        found, first = np.unique(keys[self._order], return_index=True)
        ends = [*first[1:].tolist(), len(keys)]
        self._spans = dict(zip(found.tolist(), zip(first.tolist(), ends, strict=True), strict=True))

    def since(self, key: int, begin: float, end: float) -> Numbers:
        """The key's rows with begin <= at < end."""
        first, last = self._spans.get(key, (0, 0))
        low, high = np.searchsorted(self._at[first:last], (begin, end))
        return np.asarray(self._order[first + low : first + high])
