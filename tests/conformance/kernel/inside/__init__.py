"""What runs in the guest, by its bare interpreter: it needs the standard library only."""

NO_MOUNT = 126  # exit status: the mount failed
