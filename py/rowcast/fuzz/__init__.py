"""Fuzzing of the Data API: requests drawn from PostgREST's own document, answers held to oracles.

The requests are drawn by Hypothesis, not by Schemathesis: PostgREST's Swagger 2.0 document names
tables, columns and arguments, but nothing of the language of filters, embedding, casts, Prefer
headers or upserts. A generator that knows only the document stays outside: of its 39 operations
here, 17 were refused whatever was sent.
"""
