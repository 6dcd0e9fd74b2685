"""What reg.exe says when it will not do a thing, as our errors. Scripts look for these sentences."""

from __future__ import annotations

from vmrescue.errors import NoMatchError, UsageError

SUCCESS = "The operation completed successfully."


def invalid_syntax(command: str, why: str = "") -> UsageError:
    usage = f'Type "REG {command.upper()} /?" for usage.' if command else 'Type "REG /?" for usage.'
    return UsageError(f"ERROR: Invalid syntax.{' ' + why if why else ''}\n{usage}")


def no_load(command: str) -> UsageError:
    return UsageError(
        f"ERROR: there is nothing to {command} here: the hives of an image are at hand under the guest's own names,\n"
        "such as HKLM\\SYSTEM; those of a bare hive file under any name below HKLM."
    )


def not_loaded(name: str) -> UsageError:
    return UsageError(f"ERROR: The parameter is incorrect: nothing is loaded as {name}.")


def invalid_key_name(text: str) -> UsageError:
    return UsageError(f'ERROR: Invalid key name: {text}\nType "REG /?" for usage.')


def onto_itself() -> UsageError:
    return UsageError("ERROR: The registry entry cannot be copied onto itself.")


def not_found() -> NoMatchError:
    return NoMatchError("ERROR: The system was unable to find the specified registry key or value.")
