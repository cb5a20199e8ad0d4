"""The operations of [MS-FSA] on a file, as a worker carries them out: no request, no event loop.

smbd.state has what must hold between the opens of a file.  smbd.commands says when something is
done, and what waits for it.
"""
