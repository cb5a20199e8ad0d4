"""Outside judges of the server: Samba's smbtorture, and a Linux kernel that mounts the share."""
