"""Faults, injected into real services and a real server, and the books that must balance after.

`ledger` knows what was written and what must have become of it; `writers` write; `services` start
and kill; `server` and `proxy` let the database and the network fail. `inside` alone knows anything
of the pipeline that is not its documented surface. Linux only: services are forked.
"""
