"""Ranges of addresses become networks, exactly."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from rowcast.cli.networks import load_networks, networks, open_text
from rowcast.errors import RowcastError

if TYPE_CHECKING:
    from pathlib import Path

LINES = [
    "192.0.2.0,192.0.2.255,EU,DE,Berlin,Berlin,52.52,13.4\n",
    '198.51.100.0,198.51.100.2,SA,BR,"São Paulo","São Paulo",-23.55,-46.63\n',
    "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,EU,FR,Paris,Paris,48.9,2.3\n",
    "10.0.0.0,10.255.255.255,ZZ,ZZ,,,0,0\n",
]


def test_a_range_that_is_no_network_becomes_several() -> None:
    assert list(networks(LINES)) == [
        ("192.0.2.0/24", "DE", 52.52, 13.4),
        ("198.51.100.0/31", "BR", -23.55, -46.63),
        ("198.51.100.2/32", "BR", -23.55, -46.63),
        ("2001:db8::/32", "FR", 48.9, 2.3),
    ]


def test_a_gzipped_file_reads_the_same(tmp_path: Path) -> None:
    file = tmp_path / "cities.csv.gz"
    file.write_bytes(gzip.compress("".join(LINES).encode()))
    with open_text(file) as lines:
        assert len(list(networks(lines))) == 4


@pytest.mark.parametrize(
    "line",
    [
        "192.0.2.0,192.0.2.255,EU,DE\n",
        "192.0.2.9,192.0.2.0,EU,DE,Berlin,Berlin,52.52,13.4\n",
        "192.0.2.0,2001:db8::,EU,DE,Berlin,Berlin,52.52,13.4\n",
        "here,there,EU,DE,Berlin,Berlin,52.52,13.4\n",
        "192.0.2.0,192.0.2.255,EU,DE,Berlin,Berlin,nan,13.4\n",
    ],
)
def test_a_line_that_is_no_range_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: "):
        list(networks([LINES[0], line]))


def test_what_cannot_work_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RowcastError, match="there is no file"):
        load_networks(tmp_path / "none.csv")
    file = tmp_path / "cities.csv"
    file.write_text(LINES[0])
    with pytest.raises(RowcastError, match="cannot be loaded"):
        load_networks(file, "host=127.0.0.1 port=1")
