"""Tests of smbd.crypto."""
