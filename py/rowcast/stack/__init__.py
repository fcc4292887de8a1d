"""The embedded local stack: real PostgreSQL, PostgREST and Auth from packages, without Docker."""
