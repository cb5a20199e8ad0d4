"""What the load client measures: our server, and Samba on the same machine."""
