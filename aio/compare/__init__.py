"""The study: every way to read and write files, measured side by side on this machine.

A run is a Workload (aio.compare.workloads) on a Form of an engine (aio.compare.forms), in a Layer:
bare, which is aio alone, or another program that loads an engine (smbd's own server, in
smbd.compare).  The outcome is a Document (aio.compare.document): claims, tables and report are made
of it.
"""
