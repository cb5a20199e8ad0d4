"""What `tsmbd fault --help` says of rules."""

RULES = """\
A rule is one line: COMMAND PATH KEY=VALUE ... For example:

  READ *.bin after=3 times=2 status=DISK_FULL
  CREATE 'my folder/*' delay=500ms
  WRITE drop=half probability=0.01 seed=1
  rate=64k latency=20ms

Which requests; all that is said must hold:
  COMMAND          one of SMB2, or several: READ,WRITE; none: all
  PATH             a pattern of the path in the share, with * and ?; where there
                   is no COMMAND: path=PATH
  share= user=     patterns of their names
  after=N          so many such requests go well before
  times=N          so many go wrong, and those that follow go well
  probability=P    each goes wrong with it; seed=N: the same ones again

What goes wrong with the request:
  status=NAME      it is answered so: DISK_FULL, STATUS_DISK_FULL or 0xC000007F
  drop             the connection ends; drop=reset: by RST; drop=half: amid the
                   answer; drop=half-reset
  hang             it has no answer until the rule is removed
  delay=TIME       it waits so long first: 0.5, 500ms
  pending          an interim response (STATUS_PENDING) comes first
  forget           its session ends: USER_SESSION_DELETED
  expire           its session has to log in again: NETWORK_SESSION_EXPIRED
  closed           the server closes its file: FILE_CLOSED
  done             with status, drop, hang, delay: it is carried out all the
                   same, and what goes wrong is its answer
  short=BYTES      a READ or WRITE moves no more
  garble           the signature of its answer is damaged
  credits=N        its answer grants so many
  breaks           what a CREATE may cache is broken at once; breaks=r, rh, rw
                   leaves so much
  guid             NEGOTIATE: the server has another ServerGuid from now on
  max_read= max_write= max_transact=BYTES
                   NEGOTIATE says so, and it counts
Or with all connections:
  rate=BYTES       a second, in each direction
  latency=TIME     for which what comes in waits
"""
