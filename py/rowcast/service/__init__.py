"""The webhook service: claims jobs, runs models, commits results.

It decides nothing; the database does.
"""
