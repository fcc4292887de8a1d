"""Which trips teach, which calibrate and which judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from rowcast.models.eta_closed_form import Floats
    from rowcast.models.eta_features import Requests
    from rowcast.models.eta_trips import Trips

Mask = NDArray[np.bool_]

_WEEK = 7 * 86400.0
_FEWEST_WEEKS = 4
# Two kilometres at middle latitudes: wider than what sets one street apart from the next.
_CELL_LAT, _CELL_LNG = 0.018, 0.0228
_FEWEST_CELLS = 20


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint sets of trips.

    `weeks` are the last weeks' trips between zones that were trained on, `zones` those of the
    same weeks that start or end in a zone of which training and calibration saw no trip at all.
    """

    train: Mask
    calibration: Mask
    weeks: Mask
    zones: Mask
    cells: int
    cells_held_out: int

    def counts(self) -> dict[str, int]:
        """Trips per set and zones, for the record."""
        sets = {"train": self.train, "calibration": self.calibration}
        sets |= {"held_out_weeks": self.weeks, "held_out_zones": self.zones}
        counts = {name: int(rows.sum()) for name, rows in sets.items()}
        return counts | {"zones": self.cells, "zones_held_out": self.cells_held_out}


def split(trips: Trips, *, zone_share: float, seed: int) -> Split:
    """Set aside the last weeks, the one before them, and a share of the zones."""
    period = _periods(trips.requests.requested_at)
    origin, dest, cells = _cells(trips.requests)
    count = round(zone_share * cells) if cells >= _FEWEST_CELLS else 0
    unseen = np.random.default_rng(seed).choice(cells, count, replace=False)
    touches = np.isin(origin, unseen) | np.isin(dest, unseen)
    return Split(
        train=(period == 0) & ~touches,
        calibration=(period == 1) & ~touches,
        weeks=(period == 2) & ~touches,
        zones=(period == 2) & touches,
        cells=cells,
        cells_held_out=count,
    )


def _periods(requested_at: Floats) -> NDArray[np.int64]:
    """0 to train, 1 to calibrate, 2 to judge: whole weeks where there are enough of them."""
    week = ((requested_at - requested_at.min()) // _WEEK).astype(np.int64)
    weeks = int(week.max()) + 1
    judged = max(1, weeks // 4)
    edges = (weeks - judged - 1, weeks - judged)
    periods = np.asarray(np.digitize(week, edges))
    if weeks < _FEWEST_WEEKS or np.bincount(periods, minlength=3).min() < len(week) // 20:
        periods = np.asarray(np.digitize(requested_at, np.quantile(requested_at, [0.6, 0.8])))
    return periods


def _cells(requests: Requests) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """The grid cell of each origin and each destination, numbered from 0, and their count."""
    lat = np.concatenate([requests.origin_lat, requests.dest_lat])
    lng = np.concatenate([requests.origin_lng, requests.dest_lng])
    grid = np.column_stack([np.floor(lat / _CELL_LAT), np.floor(lng / _CELL_LNG)])
    cells, where = np.unique(grid, axis=0, return_inverse=True)
    origin, dest = np.split(where.reshape(-1), 2)
    return origin, dest, len(cells)
