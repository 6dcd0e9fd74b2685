"""Microsoft's bcdedit, as a library: `parse` a command line, `run` it on a store, and get text and edits back."""

from vmrescue.commands.bcdedit.command import WHOLE_STORE, Command, parse
from vmrescue.commands.bcdedit.run import run
from vmrescue.commands.bcdedit.volumes import NoVolumes, Volumes
from vmrescue.commands.outcome import Outcome

__all__ = ["parse", "run", "Command", "Outcome", "Volumes", "NoVolumes", "WHOLE_STORE"]
