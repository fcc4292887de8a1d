"""Where the embedded Auth and Storage server speaks otherwise than the platform's.

Clients of the platform speak the platform's way, so the gateway puts it right in both directions.
"""

from __future__ import annotations

import re

# Times come as PostgreSQL prints them; the platform, and so supabase-py, uses RFC 3339.
POSTGRES_TIME = re.compile(rb'(_at":"\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00"')

# The platform names a signed URL otherwise, and counts its path from /storage/v1.
RENAMED = (
    (b'"signedUrl":"/storage/v1/object/sign/', b'"signedURL":"/object/sign/'),
    (b'"signedUrl":"/storage/v1/object/upload/sign/', b'"url":"/object/upload/sign/'),
)

# supabase-js sends a Blob as a form field without a name; the server looks for one named `file`.
NAMELESS_FILE = re.compile(
    rb'(\r\nContent-Disposition: form-data; name=)""(; filename=)', re.IGNORECASE
)
NAMED_FILE = b'name="file"'


def repair_answer(body: bytes) -> bytes:
    """Give a JSON answer of the server in the platform's shape."""
    body = POSTGRES_TIME.sub(rb'\1T\2Z"', body)
    for theirs, platforms in RENAMED:
        body = body.replace(theirs, platforms)
    return body


def repair_upload(head: bytes) -> bytes:
    """Name the file's field in the beginning of a form that is uploaded, if it has no name."""
    found = NAMELESS_FILE.search(head)
    if found is None or NAMED_FILE in head[: found.start()]:
        return head
    return head[: found.start()] + found.expand(rb'\1"file"\2') + head[found.end() :]
