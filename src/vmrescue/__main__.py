"""``python -m vmrescue``"""

from __future__ import annotations

from vmrescue.cli.main import main

main()
