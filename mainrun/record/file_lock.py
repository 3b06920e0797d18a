"""Locks of files that are held as long as they are open, where the file system has such locks."""

import errno
import fcntl
import logging
import os

from mainrun.record.inert import make_inert

_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
_log = logging.getLogger(__name__)


def lock(descriptor: int, name: str | os.PathLike[str], *, shared: bool = False) -> None:
    """Locks an open file or folder called `name`; `BlockingIOError` where another process holds a lock on it.

    Some file systems, of networks above all, have no locks: that is said, and the work goes on without one.
    """
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _HELD:
            raise BlockingIOError(error.errno, error.strerror) from error
        _log.warning(
            "note: %s cannot be locked (%s): see to it that no other process works there.",
            make_inert(os.fspath(name)), error.strerror,
        )  # fmt: skip
