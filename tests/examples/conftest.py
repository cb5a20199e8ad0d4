"""The example for pytest is a project of its own, which test_examples runs."""

collect_ignore = ["python"]
