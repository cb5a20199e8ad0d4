"""What [MS-FSA] has a file do, as a worker does it: no request, no reply, no event loop.

What must hold between the opens of a file is state's; when something is done, and who waits for
it, is the commands'.
"""
