"""What ends this program ends the runs it started: an external command has no terminal that would end it too."""

import signal


def end_as_by_ctrl_c() -> None:
    """Lets SIGTERM and a terminal that is closed end the program as Ctrl-C does; under `nohup` the latter does not."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
