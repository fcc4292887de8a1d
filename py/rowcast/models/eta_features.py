"""From what a pickup's row holds to what the ETA model reads.

Training and serving both call `matrix`, so the two cannot drift apart. Nothing here knows the
simulator, a map or the future: coordinates, kind and the time of the request are all there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from rowcast.models.eta_closed_form import Floats, closed_form_seconds, haversine_m

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

KINDS: Mapping[str, int] = MappingProxyType({"ride": 0, "parcel": 1, "pool": 2})

# The points on the way let a zone that was never an origin borrow from trips that pass through it.
FEATURES = (
    "origin_lat",
    "origin_lng",
    "dest_lat",
    "dest_lng",
    "quarter_lat",
    "quarter_lng",
    "half_lat",
    "half_lng",
    "three_quarters_lat",
    "three_quarters_lng",
    "log_closed_form",
    "haversine_km",
    "bearing_sin",
    "bearing_cos",
    "hour_of_week",
    "hour_of_week_sin",
    "hour_of_week_cos",
    "hour_of_day",
    "is_parcel",
    "is_pool",
)
# Handling and shared detours only ever add time; no other sign is certain.
MONOTONE = tuple(1 if name in ("is_parcel", "is_pool") else 0 for name in FEATURES)

_ON_THE_WAY = (0.25, 0.5, 0.75)
_QUARTER_HOUR = 900
_WEEK_HOURS = 168
_EPOCH_WAS_THURSDAY_HOURS = 72


@dataclass(frozen=True, slots=True)
class Requests:
    """What the rows hold, column by column: degrees, Unix seconds (UTC), codes of `KINDS`."""

    origin_lat: Floats
    origin_lng: Floats
    dest_lat: Floats
    dest_lng: Floats
    requested_at: Floats
    kind: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.origin_lat)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64] | list[int]) -> Requests:
        """The same columns for the chosen rows only."""
        return Requests(
            self.origin_lat[rows],
            self.origin_lng[rows],
            self.dest_lat[rows],
            self.dest_lng[rows],
            self.requested_at[rows],
            self.kind[rows],
        )


def closed_form(requests: Requests) -> Floats:
    """The closed-form estimate of every request, in seconds."""
    return closed_form_seconds(
        requests.origin_lat, requests.origin_lng, requests.dest_lat, requests.dest_lng
    )


def distance_m(requests: Requests) -> Floats:
    """The great-circle metres of every request."""
    return haversine_m(
        requests.origin_lat, requests.origin_lng, requests.dest_lat, requests.dest_lng
    )


def local_hour_of_week(epoch: Floats, timezone: str) -> Floats:
    """Hours since Monday 00:00 on the wall clock of `timezone`, in [0, 168)."""
    zone = ZoneInfo(timezone)
    quarters, where = np.unique((epoch // _QUARTER_HOUR).astype(np.int64), return_inverse=True)
    offsets = np.array(
        [_utc_offset(int(q) * _QUARTER_HOUR, zone) for q in quarters], dtype=np.float64
    )
    local = epoch + offsets[where]
    return np.asarray((local / 3600 + _EPOCH_WAS_THURSDAY_HOURS) % _WEEK_HOURS)


def _utc_offset(epoch: int, zone: ZoneInfo) -> float:
    offset = datetime.fromtimestamp(epoch, zone).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()


def matrix(requests: Requests, timezone: str) -> Floats:
    """The model's input, shape (n, len(FEATURES)), columns in the order of `FEATURES`."""
    r = requests
    hour = local_hour_of_week(r.requested_at, timezone)
    week_angle = 2 * np.pi * hour / _WEEK_HOURS
    bearing = _bearing(r)
    columns = (
        r.origin_lat,
        r.origin_lng,
        r.dest_lat,
        r.dest_lng,
        *(point for share in _ON_THE_WAY for point in _between(r, share)),
        np.log(closed_form(r)),
        distance_m(r) / 1000,
        np.sin(bearing),
        np.cos(bearing),
        hour,
        np.sin(week_angle),
        np.cos(week_angle),
        hour % 24,
        r.kind == KINDS["parcel"],
        r.kind == KINDS["pool"],
    )
    return np.column_stack([np.asarray(c, dtype=np.float64) for c in columns])


def _between(r: Requests, share: float) -> tuple[Floats, Floats]:
    lat = r.origin_lat + share * (r.dest_lat - r.origin_lat)
    return lat, r.origin_lng + share * (r.dest_lng - r.origin_lng)


def _bearing(r: Requests) -> Floats:
    lat1, lat2 = np.radians(r.origin_lat), np.radians(r.dest_lat)
    turn = np.radians(r.dest_lng - r.origin_lng)
    east = np.sin(turn) * np.cos(lat2)
    north = np.cos(lat1) * np.sin(lat2) - np.sin(lat1) * np.cos(lat2) * np.cos(turn)
    return np.asarray(np.arctan2(east, north))
