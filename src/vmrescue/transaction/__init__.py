"""Applies plans with the editors, in overlays; the readers verify them; the journal commits and undoes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of
from vmrescue.transaction.history import PastRepair, history

if TYPE_CHECKING:
    from vmrescue.transaction.backup import back_up, configuration_files
    from vmrescue.transaction.deeds.files import file_hash
    from vmrescue.transaction.mending import mended, must_be_editable, plan_of, whole_plan
    from vmrescue.transaction.receipt import Receipt, Written
    from vmrescue.transaction.repairing import Editing, edit, repair
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
    "mended",
    "must_be_editable",
    "plan_of",
    "repair",
    "take_back",
    "undo",
    "Undone",
    "whole_plan",
]

_LATER = {  # an undo needs no editor, and a receipt none either
    "back_up": "backup",
    "configuration_files": "backup",
    "file_hash": "deeds.files",
    "mended": "mending",
    "must_be_editable": "mending",
    "plan_of": "mending",
    "whole_plan": "mending",
    "Receipt": "receipt",
    "Written": "receipt",
    "Editing": "repairing",
    "edit": "repairing",
    "repair": "repairing",
    "Transaction": "transaction",
    "Undone": "undoing",
    "take_back": "undoing",
    "undo": "undoing",
}

__getattr__ = names_of(__name__, _LATER)
