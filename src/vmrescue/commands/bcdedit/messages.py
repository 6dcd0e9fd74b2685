"""What bcdedit says when it will not do a thing, as our errors.

The sentences are those that scripts look for. Sources: Microsoft's troubleshooting articles for Azure VMs, and
transcripts of bcdedit on Windows 7 to 11.
"""

from __future__ import annotations

from vmrescue.errors import NoMatchError, NotFoundError, UsageError

SUCCESS = "The operation completed successfully."

_HELP = 'Run "bcdedit /?" for command line assistance.'
_INCORRECT = f"{_HELP}\nThe parameter is incorrect."


def unknown_command() -> UsageError:
    return UsageError(f"An unknown command was specified.\n{_HELP}")


def invalid_switch(word: str) -> UsageError:
    return UsageError(f"Invalid command line switch: {word}\n{_INCORRECT}")


def invalid_command(name: str) -> UsageError:
    return UsageError(f"The {name} command specified is not valid.\n{_INCORRECT}")


def invalid_entry_type() -> UsageError:
    return UsageError(f"The specified entry type is invalid.\n{_INCORRECT}")


def invalid_identifier(text: str) -> UsageError:
    return UsageError(f"The entry identifier {text} is not valid.\n{_INCORRECT}")


def unknown_element() -> UsageError:
    """The element's name is unknown, or the object's type has no such element."""
    return UsageError(
        "The element data type specified is not recognized, or does not apply to the\n"
        f"specified entry.\n{_HELP}\nElement not found."
    )


def invalid_data(kind: str) -> UsageError:
    """`kind` is the format's name: integer, boolean, device …"""
    return UsageError(f"The {kind} data is not valid as specified.\n{_INCORRECT}")


def no_such_volume(name: str) -> NotFoundError:
    """bcdedit's words, and ours: what stands as a value is never taken for another volume than it names."""
    return NotFoundError(
        "An error has occurred setting the element data.\nThe system cannot find the file specified.\n"
        f"To this Windows {name} is no volume at hand: give the guest's own letter or \\Device\\HarddiskVolumeN."
    )


def no_such_entry() -> NoMatchError:
    return NoMatchError(
        "An error occurred while attempting to reference the specified entry.\n"
        "The system cannot find the file specified."
    )


def entry_exists() -> UsageError:
    return UsageError(
        "An error occurred while attempting to create the specified entry.\n"
        "Cannot create a file when that file already exists."
    )


def nothing_to_list() -> NoMatchError:
    return NoMatchError("There are no matching objects or the store is empty.")


def no_such_element() -> NoMatchError:
    return NoMatchError("An error occurred while attempting to delete the specified data element.\nElement not found.")


def needs_force() -> UsageError:
    return UsageError(
        "An error occurred while attempting to delete the specified entry.\n"
        "The entry is a well-known one: add /f to delete it."
    )
