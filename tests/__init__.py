import sys
import sysconfig

# Started as `pytest`, Python looks for modules beside that script first, and finds impacket's
# smbclient.py there instead of smbprotocol's package smbclient.
sys.path[:] = [place for place in sys.path if place != sysconfig.get_path("scripts")]
