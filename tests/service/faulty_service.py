"""The real service in a process of its own, with the test's model; killed by the tests."""

from __future__ import annotations

import sys

from rowcast import models
from rowcast.service.__main__ import main

models._CLASSES["faulty"] = "tests.fakes:FaultyModel"

if __name__ == "__main__":
    sys.exit(main())
