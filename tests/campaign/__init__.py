"""Attacks on a running server, each with figures and their bars; README.md tells how."""
