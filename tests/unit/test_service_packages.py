"""The container installs requirements-service.lock; the service must start with nothing besides."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Imports the service while every package that the lock does not name is as good as not installed.
START_WITH_LOCKED_PACKAGES = """
import re, sys
from importlib.metadata import packages_distributions
locked = set(re.findall(r"^([a-z0-9-]+)==", open("requirements-service.lock").read(), re.M))
blocked = {
    module for module, owners in packages_distributions().items()
    if not any(re.sub(r"[_.]+", "-", owner.lower()) in locked for owner in owners)
}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
assert {"supabase", "aiohttp", "typer"} <= blocked
sys.meta_path.insert(0, Absent())
import rowcast.service.__main__, rowcast.service.asgi, rowcast.service.healthcheck, uvloop
import rowcast.remote
from rowcast import models
from rowcast.service.logs import configure_logging
configure_logging("INFO")
print(*(models.load(name).version for name in models.names()))
"""


def test_the_service_starts_with_only_what_its_lock_installs() -> None:
    command = [sys.executable, "-c", START_WITH_LOCKED_PACKAGES]
    # Where the system has no OpenMP runtime, `./rowcast test` says in this variable where one is.
    environment = {
        "PYTHONPATH": str(ROOT / "py"),
        "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 3
