"""The ``descale`` command, the same as the one that cargo installs."""

import signal
import sys

from . import _descale


def main():
    # Ctrl-C ends the command as it ends any other; Python's own handler would wait for the run to end.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_descale.command(["descale", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
