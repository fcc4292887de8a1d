"""The closed-form travel time: what `quote_eta` answers in SQL at once, in Python.

The SQL function is the one that riders see; this twin exists because the model is a residual on
it, and a test holds the two together. Source: great-circle distance, one circuity for the whole
world, and a speed that rises from 6 m/s for short trips to 15 m/s for long ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EARTH_RADIUS_M = 6371008.8
CIRCUITY = 1.3
ACCESS_SECONDS = 90.0


def haversine_m(origin_lat: Any, origin_lng: Any, dest_lat: Any, dest_lng: Any) -> Floats:
    """Great-circle metres between points in degrees; scalars or arrays of one shape."""
    lat1, lng1, lat2, lng2 = (
        np.radians(np.asarray(v, dtype=np.float64))
        for v in (origin_lat, origin_lng, dest_lat, dest_lng)
    )
    half = (
        np.sin((lat2 - lat1) / 2) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lng2 - lng1) / 2) ** 2
    )
    # Rounding may carry antipodes just above 1, where asin has no value.
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0))))


def closed_form_seconds(origin_lat: Any, origin_lng: Any, dest_lat: Any, dest_lng: Any) -> Floats:
    """Estimated seconds of travel, at least 90, not rounded (the row holds it rounded)."""
    road = CIRCUITY * haversine_m(origin_lat, origin_lng, dest_lat, dest_lng)
    speed = 6 + 9 * road / (road + 8000)
    return np.asarray(ACCESS_SECONDS + road / speed)
