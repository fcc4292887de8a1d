"""Models that answer over HTTP: what a row of `ml.models` with a URL and a protocol means.

>>> endpoint = Endpoint.parse("eta", "plain", "http://127.0.0.1:8000/", None, 5)
>>> async with new_client() as client:
...     reply = await Remote(endpoint, client, keys={}).predict([{"x": 2}])

One call is one request. Nothing is retried here: the pipeline does that, by the class of the fault.
"""

from __future__ import annotations

from rowcast.models import Reply
from rowcast.remote.answers import RemoteError
from rowcast.remote.endpoint import PROTOCOLS, Endpoint
from rowcast.remote.exchange import new_client
from rowcast.remote.remote import Remote

__all__ = ["PROTOCOLS", "Endpoint", "Remote", "RemoteError", "Reply", "new_client"]
