"""The study: every way to read and write files, measured side by side on this machine.

What runs is a Workload (aio.compare.workloads) on a Form of an engine (aio.compare.forms), in a
Layer: bare, which is aio alone, or whatever else knows how to load an engine (smbd's own server,
in smbd.compare).  What comes out is a Document (aio.compare.document), which the claims, the
tables and the report are made of.
"""
