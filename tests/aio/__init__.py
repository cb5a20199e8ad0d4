"""aio: one conformance suite over every engine, and the probe on real file systems."""
