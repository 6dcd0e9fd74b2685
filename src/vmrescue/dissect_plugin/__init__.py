"""The plugin for dissect.target: `target-query -f vmrescue` yields the findings as records.

dissect.target finds external plugins in the folders of ``--plugin-path`` and of the environment variable
``DISSECT_PLUGINS``. Use the folder that ``python -m vmrescue.dissect_plugin`` prints.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "plugins"  # dissect.target loads every file in it
