"""The part of io_uring that is C: `ring.c`, and `build`, which builds and loads it."""
