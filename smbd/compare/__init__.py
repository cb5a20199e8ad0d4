"""The study's layer "served": the real server under the load client (`tsmbd compare`)."""
