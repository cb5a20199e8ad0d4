"""What clients hold, for the whole server: opens, share modes, deletions that wait, locks."""
