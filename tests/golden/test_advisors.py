"""The platform's own advisors find nothing that advisors.json does not accept with a reason."""

from __future__ import annotations

import json
from pathlib import Path

from rowcast.stack.bootstrap import run_cli

FILE = Path(__file__).with_name("advisors.json")


def findings(url: str) -> list[dict[str, str]]:
    """Every finding of level WARN or ERROR, as advisors.json writes them."""
    done = run_cli(
        ["db", "advisors", "--level=warn", "--fail-on=warn", "--output-format=json"], url
    )
    try:
        results = json.loads(done.stdout)["results"]
    except (ValueError, KeyError) as error:
        raise AssertionError(f"{done.stdout}\n{done.stderr}") from error
    assert (done.returncode != 0) == bool(results), done.stderr
    return sorted(
        (
            {
                "advisor": result["name"],
                "object": f"{result['metadata'].get('schema')}.{result['metadata'].get('name')}",
                "detail": result["detail"],
            }
            for result in results
        ),
        key=str,
    )


def test_advisors(database_template: str, refresh_golden: bool) -> None:
    accepted = json.loads(FILE.read_text()) if FILE.exists() else []
    reasons = {entry["detail"]: entry["reason"] for entry in accepted}
    found = findings(database_template)
    if refresh_golden:
        kept = [{**finding, "reason": reasons.get(finding["detail"], "")} for finding in found]
        FILE.write_text(json.dumps(kept, indent=2) + "\n")
        reasons = {entry["detail"]: entry["reason"] for entry in kept}
    new = [finding for finding in found if finding["detail"] not in reasons]
    assert not new, "fix them, or accept them in tests/golden/advisors.json with a reason"
    stale = reasons.keys() - {finding["detail"] for finding in found}
    assert not stale, "no longer found: take them out of tests/golden/advisors.json"
    assert all(reasons.values()), "every accepted finding needs a reason"
