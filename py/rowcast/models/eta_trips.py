"""Completed trips, the ETA model's training material, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rowcast.models.eta_features import KINDS, Requests

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rowcast.models.eta_closed_form import Floats

MINIMUM = 200

_QUERY = """
select origin_lat, origin_lng, dest_lat, dest_lng,
       extract(epoch from requested_at)::double precision,
       kind::text,
       extract(epoch from completed_at - picked_up_at)::double precision
  from public.pickup_requests
 where status = 'completed'
   and completed_at > picked_up_at
 order by requested_at, id
"""


class TooFewTripsError(ValueError):
    """There is not enough to learn from."""


@dataclass(frozen=True, slots=True)
class Trips:
    """Requests with the seconds that the travel then took, from pick-up to completion."""

    requests: Requests
    seconds: Floats

    def __len__(self) -> int:
        return len(self.seconds)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Trips:
        """The chosen trips only."""
        return Trips(self.requests.take(rows), self.seconds[rows])


def from_database(dsn: str, *, minimum: int = MINIMUM) -> Trips:
    """Completed pickups of a project, read in chunks through a server-side cursor.

    Raises `TooFewTripsError` below `minimum` trips; the connection's role must be able to read
    every row of `public.pickup_requests`.
    """
    import psycopg

    chunks: list[Floats] = []
    with psycopg.connect(dsn) as connection, connection.cursor("completed_pickups") as cursor:
        cursor.itersize = 5000
        cursor.execute(_QUERY)
        while rows := cursor.fetchmany(cursor.itersize):
            chunks.append(np.array([(*r[:5], KINDS.get(r[5], -1), r[6]) for r in rows], float))
    columns = np.concatenate(chunks) if chunks else np.empty((0, 7))
    columns = columns[columns[:, 5] >= 0]
    if len(columns) < minimum:
        raise TooFewTripsError(
            f"{len(columns)} completed pickups are too few to train on, {minimum} are needed; "
            "until then use `rowcast train eta --source sim`"
        )
    origin_lat, origin_lng, dest_lat, dest_lng, requested_at, kind, seconds = columns.T
    places = (origin_lat, origin_lng, dest_lat, dest_lng)
    return Trips(Requests(*places, requested_at, kind.astype(np.int8)), seconds)
