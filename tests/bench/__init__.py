"""The project's load client, and what it measures: our server, and Samba on the same machine."""
