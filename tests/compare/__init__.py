"""The study: what is measured on which engine, and what becomes of it."""
