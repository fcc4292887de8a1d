"""A provider that allows so many calls a second, and a service that brings more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from rowcast.chaos.model import BURST, RATE, RETRY_AFTER
from rowcast.chaos.waiting import wait_until
from tests.chaos.conftest import say

if TYPE_CHECKING:
    from tests.chaos.conftest import Site

BATCH = 32  # in ml.models
CALLS = 24
ROWS = CALLS * BATCH
CALLS_A_SECOND = 8
RETRY_SECONDS = 1

OTHERS = """
create table public.others (id bigint primary key, x bigint not null, score bigint);
create function public.apply_other_score(p_row_keys text[], p_outputs jsonb[], p_model_version text)
returns void language sql set search_path = '' as $$
  update public.others as t set score = (o.output ->> 'score')::bigint
  from unnest(p_row_keys, p_outputs) as o (row_key, output) where t.id = o.row_key::bigint
$$;
select ml.attach(
  'other_score', 'public.others', 'chaos',
  $$jsonb_build_object('id', t.id, 'version', 0, 'x', t.x, 'fault', null, 'hold', null)$$,
  array['x'], 'public.apply_other_score'
);
"""


@pytest.mark.parametrize(
    ("burst", "retry_after"),
    [
        (CALLS_A_SECOND, "whole"),
        (CALLS_A_SECOND, "exact"),
        (1, "exact"),
    ],
)
@pytest.mark.parametrize("site", ["limited"], indirect=True)
def test_a_storm_of_429_costs_little_more_than_the_provider_takes(
    site: Site, burst: int, retry_after: str
) -> None:
    site.execute(OTHERS)
    service = site.fleet.start(
        ROWCAST_MODELS="limited chaos",
        ROWCAST_CLAIM_LIMIT="256",
        **{RATE: str(CALLS_A_SECOND), BURST: str(burst), RETRY_AFTER: retry_after},
    )
    wait_until(service.is_ready, 10, "the service is ready")
    # The bucket is full.
    least = (CALLS - burst) / CALLS_A_SECOND
    limit = least * 1.1 + RETRY_SECONDS
    site.insert(1, ROWS)
    begun = time.monotonic()
    others = [other_answered(site, key) for key in range(20)]
    site.wait_answered(1, ROWS, limit)
    took = time.monotonic() - begun

    accepted, refused = (
        [int(line) for line in (site.fleet.folder / name).read_text().split()]
        for name in ("accepted", "refused")
    )
    say(
        f"{took:.2f} s where the provider takes {least:.2f} s; {len(accepted)} calls answered,"
        f" {len(refused)} refused; another model's rows took {max(others):.2f} s at most"
    )
    site.check()
    assert site.execute("select count(*), max(attempts) from public.predictions"
                        " where prediction = 'item_score'") == [(ROWS, 0)]  # fmt: skip
    assert site.execute("select count(*) from ml.dead_letters") == [(0,)]
    assert max(others) < 1
    assert took < limit


def other_answered(site: Site, key: int) -> float:
    """Write a row for the other model; the seconds until it is answered."""
    site.execute("insert into public.others (id, x) values (%s, 1)", key)
    query = "select score = 2 from public.others where id = %s"
    return wait_until(lambda: site.execute(query, key) == [(True,)], 20, "the other's answer")
