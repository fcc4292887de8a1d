"""Simulators whose law is known, so that a model's distance from the best possible is known."""
