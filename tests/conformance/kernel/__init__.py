"""A real Linux kernel (User Mode Linux) that mounts the share and checks what it sees there."""
