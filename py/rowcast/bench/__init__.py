"""Measurements, each behind a command of `rowcast bench`."""
