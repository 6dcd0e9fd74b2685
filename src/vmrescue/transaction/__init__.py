"""Plans applied: with the editors, in overlays, verified by the readers, committed through the journal, undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of
from vmrescue.transaction.history import PastRepair, history

if TYPE_CHECKING:
    from vmrescue.transaction.backup import back_up, configuration_files
    from vmrescue.transaction.deeds.files import file_hash
    from vmrescue.transaction.receipt import Receipt, Written
    from vmrescue.transaction.repairing import (
        Editing,
        edit,
        must_be_editable,
        plan_of,
        repair,
    )
    from vmrescue.transaction.transaction import Transaction
    from vmrescue.transaction.undoing import Undone, take_back, undo

__all__ = [
    "Editing",
    "PastRepair",
    "Receipt",
    "Transaction",
    "Written",
    "back_up",
    "configuration_files",
    "edit",
    "file_hash",
    "history",
    "must_be_editable",
    "plan_of",
    "repair",
    "take_back",
    "undo",
    "Undone",
]

_LATER = {  # an undo needs no editor, and a receipt none either
    "back_up": "backup",
    "configuration_files": "backup",
    "file_hash": "deeds.files",
    "Receipt": "receipt",
    "Written": "receipt",
    "Editing": "repairing",
    "edit": "repairing",
    "must_be_editable": "repairing",
    "plan_of": "repairing",
    "repair": "repairing",
    "Transaction": "transaction",
    "Undone": "undoing",
    "take_back": "undoing",
    "undo": "undoing",
}

__getattr__ = names_of(__name__, _LATER)
