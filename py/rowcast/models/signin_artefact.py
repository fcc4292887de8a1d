"""The trained scorecard as one file of JSON that can be read, diffed and checked.

artefacts/signin/current               names the version in use
artefacts/signin/<version>/card.json   what serves ("served") and how well it did
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowcast.models.eta_artefact import ArtefactError, content_sha256, read_bytes
from rowcast.models.signin_features import EDGES, FEATURES
from rowcast.models.signin_scorecard import Scorecard

if TYPE_CHECKING:
    from collections.abc import Mapping

ARTEFACTS = Path(__file__).parent / "artefacts" / "signin"
REMEDY = "run `rowcast train signin` to make it anew"


@dataclass(frozen=True, slots=True)
class Artefact:
    """All that is needed to answer; `alarm_from` is the risk at one false alarm in a hundred."""

    version: str
    card: Scorecard
    alarm_from: float


def save(card: Scorecard, alarm_from: float, metrics: Mapping[str, Any], root: Path) -> Artefact:
    """Write the artefact under `root` and make it current; equal content gets an equal version."""
    served = {
        "intercept": round(card.intercept, 6),
        "edges": {name: list(EDGES[name]) for name in FEATURES},
        "points": {name: [round(p, 6) for p in card.points[name]] for name in FEATURES},
        "alarm_from": round(alarm_from, 6),
    }
    content = content_sha256(served)
    version = f"sim-{content[:8]}"
    folder = root / version
    folder.mkdir(parents=True, exist_ok=True)
    document = {"version": version, **metrics, "served": served, "content_sha256": content}
    (folder / "card.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (root / "current").write_text(version + "\n", encoding="utf-8")
    return load(root)


def read_metrics(root: Path = ARTEFACTS) -> dict[str, Any]:
    """The document of the current version, checked against its own hash."""
    path = root / read_bytes(root / "current", REMEDY).decode().strip() / "card.json"
    try:
        document: dict[str, Any] = json.loads(read_bytes(path, REMEDY))
        intact = document["content_sha256"] == content_sha256(document["served"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactError(f"{path} cannot be read ({error!r}); {REMEDY}") from error
    if not intact:
        raise ArtefactError(f"{path} does not match its sha256; {REMEDY}")
    return document


def load(root: Path = ARTEFACTS) -> Artefact:
    """Load and check the current version; raises `ArtefactError`."""
    document = read_metrics(root)
    served = document["served"]
    if served["edges"] != {name: list(EDGES[name]) for name in FEATURES}:
        raise ArtefactError(f"{root} lists other edges than this code has; {REMEDY}")
    points = {name: tuple(served["points"][name]) for name in FEATURES}
    return Artefact(
        document["version"], Scorecard(served["intercept"], points), served["alarm_from"]
    )
