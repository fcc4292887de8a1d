"""Runners of models that have a URL in `ml.models`, made when their first batch comes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rowcast.errors import RowcastError
from rowcast.models import ProviderFault, Reply
from rowcast.remote import Endpoint, Remote, new_client
from rowcast.service.batch import Inputs, Runner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

    from rowcast.service.database import Lease

# A row of ml.models that is no good is somebody's work to mend.
MISTAKE_SECONDS = 60.0


class RemoteRunner(Runner):
    """Asks a server; its time-out is the endpoint's own."""

    def __init__(self, remote: Remote, calls: int) -> None:
        super().__init__(remote.endpoint.model, calls)
        self.remote = remote

    @property
    def version(self) -> str:
        """For receipts, where neither the server nor the row of `ml.models` tells one."""
        return "unknown"

    async def call(self, inputs: Inputs, seconds: float) -> Reply:  # noqa: ARG002
        """One request."""
        return await self.remote.predict(inputs)


class BrokenRunner(Runner):
    """Stands for a row of `ml.models` that cannot be asked: its jobs wait, uncharged."""

    def __init__(self, model: str, calls: int, fault: RowcastError) -> None:
        super().__init__(model, calls)
        self._fault = fault

    @property
    def version(self) -> str:
        """Nothing answered."""
        return "unknown"

    async def call(self, inputs: Inputs, seconds: float) -> Reply:  # noqa: ARG002
        """Raise what is wrong with the row."""
        raise ProviderFault(str(self._fault), MISTAKE_SECONDS)


class Remotes(contextlib.AbstractAsyncContextManager["Remotes"]):
    """One client, and a runner for each model as its row now is."""

    def __init__(self, keys: Mapping[str, SecretStr], calls: int) -> None:
        self._keys = keys
        self._calls = calls
        self._client = new_client()
        self._runners: dict[str, RemoteRunner] = {}

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    def runner(self, lease: Lease) -> Runner:
        """For the place that this lease's row names."""
        try:
            endpoint = Endpoint.parse(
                lease.model, lease.protocol, lease.url, lease.options, lease.timeout_ms / 1000
            )
            known = self._runners.get(lease.model)
            if known is None or known.remote.endpoint != endpoint:
                remote = Remote(endpoint, self._client, self._keys)
                known = self._runners[lease.model] = RemoteRunner(remote, self._calls)
        except RowcastError as fault:
            return BrokenRunner(lease.model, self._calls, fault)
        return known
