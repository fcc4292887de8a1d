"""The trained ETA model as a folder of text files that can be read, diffed and checked.

artefacts/eta/current                 names the version in use
artefacts/eta/<version>/median.txt    LightGBM text dumps, one per part
artefacts/eta/<version>/low.txt
artefacts/eta/<version>/high.txt
artefacts/eta/<version>/metrics.json  what serves ("served") and how well it did
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.models.eta_features import FEATURES, KINDS, Requests
from rowcast.models.eta_regressor import PARTS, Calibration, Regressor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightgbm import Booster
    from numpy.typing import NDArray

    from rowcast.models.eta_closed_form import Floats

ARTEFACTS = Path(__file__).parent / "artefacts" / "eta"
REMEDY = "run `rowcast train eta` to make it anew"

# Ends of trips this many interquartile ranges outside are slips of a device, not places.
_FAR_OUT = 5.0


class ArtefactError(RuntimeError):
    """The artefact is missing, damaged or from another version of the code."""


@dataclass(frozen=True, slots=True)
class Domain:
    """Where the model has trips to stand on: a box in degrees and the kinds seen."""

    south: float
    north: float
    west: float
    east: float
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, requests: Requests) -> Domain:
        """The box around both ends of the requests, stray points left aside."""
        south, north = _range(np.concatenate([requests.origin_lat, requests.dest_lat]))
        west, east = _range(np.concatenate([requests.origin_lng, requests.dest_lng]))
        seen = {int(code) for code in np.unique(requests.kind)}
        kinds = tuple(name for name, code in KINDS.items() if code in seen)
        return cls(south, north, west, east, kinds)

    def holds(self, requests: Requests) -> NDArray[np.bool_]:
        """Which requests start and end inside the box and are of a kind that was seen."""
        inside = np.isin(requests.kind, [KINDS[name] for name in self.kinds])
        for lat in (requests.origin_lat, requests.dest_lat):
            inside = inside & (lat >= self.south) & (lat <= self.north)
        for lng in (requests.origin_lng, requests.dest_lng):
            inside = inside & (lng >= self.west) & (lng <= self.east)
        return inside


def _range(values: Floats) -> tuple[float, float]:
    first, third = np.quantile(values, [0.25, 0.75])
    reach = _FAR_OUT * (third - first)
    near = values[(values >= first - reach) & (values <= third + reach)]
    return float(near.min()), float(near.max())


@dataclass(frozen=True, slots=True)
class Artefact:
    """All that is needed to answer."""

    version: str
    timezone: str
    domain: Domain
    regressor: Regressor


def save(
    artefact: Artefact, metrics: Mapping[str, Any], root: Path, version: str | None = None
) -> str:
    """Write the artefact under `root`, make it current, and return its version.

    Without `version` the id is taken from the content: equal content gets an equal id.
    """
    texts = {part: artefact.regressor.boosters[part].model_to_string() for part in PARTS}
    served = {
        "timezone": artefact.timezone,
        "features": list(FEATURES),
        "domain": {**asdict(artefact.domain), "kinds": list(artefact.domain.kinds)},
        "calibration": artefact.regressor.calibration.to_json(),
        "files": {f"{part}.txt": _sha256(text.encode()) for part, text in texts.items()},
    }
    content = content_sha256(served)
    version = version or f"{artefact.version}-{content[:8]}"
    folder = root / version
    folder.mkdir(parents=True, exist_ok=True)
    for part, text in texts.items():
        (folder / f"{part}.txt").write_bytes(text.encode())
    document = {"version": version, **metrics, "served": served, "content_sha256": content}
    (folder / "metrics.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (root / "current").write_text(version + "\n", encoding="utf-8")
    return version


def read_metrics(root: Path = ARTEFACTS) -> dict[str, Any]:
    """The metrics of the current version, checked against their own hash."""
    folder = _current(root)
    path = folder / "metrics.json"
    try:
        metrics: dict[str, Any] = json.loads(read_bytes(path))
        intact = metrics["content_sha256"] == content_sha256(metrics["served"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path} cannot be read ({error!r}); {REMEDY}") from error
    if not intact:
        raise ArtefactError(f"{path} does not match its sha256; {REMEDY}")
    return metrics


def load(root: Path = ARTEFACTS) -> Artefact:
    """Load and check the current version; raises `ArtefactError`, which names the file."""
    metrics = read_metrics(root)
    folder, served = _current(root), metrics["served"]
    if served["features"] != list(FEATURES):
        path = folder / "metrics.json"
        raise ArtefactError(f"{path} lists other features than this code computes; {REMEDY}")
    boosters = {part: _booster(folder / f"{part}.txt", served["files"]) for part in PARTS}
    domain = Domain(**{**served["domain"], "kinds": tuple(served["domain"]["kinds"])})
    regressor = Regressor(boosters, Calibration(**served["calibration"]))
    return Artefact(metrics["version"], served["timezone"], domain, regressor)


def _current(root: Path) -> Path:
    return root / read_bytes(root / "current").decode().strip()


def _booster(path: Path, hashes: Mapping[str, str]) -> Booster:
    text = read_bytes(path)
    if _sha256(text) != hashes.get(path.name):
        raise ArtefactError(f"{path} does not match its sha256; {REMEDY}")
    import lightgbm

    return lightgbm.Booster(model_str=text.decode())


def read_bytes(path: Path, remedy: str = REMEDY) -> bytes:
    """A file of an artefact; raises `ArtefactError`, which names it."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read ({error.strerror}); {remedy}") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def content_sha256(served: Mapping[str, Any]) -> str:
    """The hash of what serves, whatever the order of its keys."""
    return _sha256(json.dumps(served, sort_keys=True, separators=(",", ":")).encode())
