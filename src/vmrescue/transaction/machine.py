"""A VM as a person gives it: what is opened for its repair, and by which rules it is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.windows.installation import NOTHING_SAID

if TYPE_CHECKING:
    import os

    from vmrescue.checks import Policy
    from vmrescue.transaction.target import Elsewhere, Made
    from vmrescue.transaction.transaction import Transaction
    from vmrescue.windows import Choice


@dataclass(frozen=True)
class Machine:
    """A VM.

    Attributes:
        image: the disk that it starts from.
        data_disks: its further disks.
        policy: what counts as right for it; Azure's unless given.
        choice: which boot store and which Windows boot, where a person says so.
    """

    image: str | os.PathLike[str]
    data_disks: tuple[str | os.PathLike[str], ...] = ()
    policy: Policy | None = None
    choice: Choice = NOTHING_SAID

    def opened(
        self,
        writable: bool = True,
        *,
        made: Made | None = None,
        elsewhere: Elsewhere | None = None,
        run: str | None = None,
        promise: bool = True,
    ) -> Transaction:
        """Its disks opened for a repair. Arguments and errors as for `Transaction`."""
        from vmrescue.transaction.transaction import Transaction

        return Transaction(
            self.image, self.data_disks, self.policy, writable, made, self.choice, elsewhere, run, promise
        )
