"""``python -m vmrescue``, and the command ``vmrescue``."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # While there is nothing to clean up, Ctrl-C ends the program without Python's traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Entry point of the command; handles signals once `vmrescue.cli` is imported."""
    from vmrescue.cli.main import main as answer

    answer()


if __name__ == "__main__":
    main()
