"""The part of io_uring that is C: `ring.c`, and what builds and loads it."""
