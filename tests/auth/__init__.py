"""Tests of smbd.auth."""
