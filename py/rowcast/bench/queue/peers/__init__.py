"""The peers' workers and triggers, each in its own language, and the packages they need."""
