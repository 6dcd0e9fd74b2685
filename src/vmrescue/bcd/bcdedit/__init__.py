"""Microsoft's bcdedit, as a library: `parse` a command line, `run` it on a store, and get text and edits back."""

from vmrescue.bcd.bcdedit.command import WHOLE_STORE, Command, parse
from vmrescue.bcd.bcdedit.outcome import Outcome
from vmrescue.bcd.bcdedit.run import run
from vmrescue.bcd.bcdedit.volumes import NoVolumes, Volumes

__all__ = ["parse", "run", "Command", "Outcome", "Volumes", "NoVolumes", "WHOLE_STORE"]
