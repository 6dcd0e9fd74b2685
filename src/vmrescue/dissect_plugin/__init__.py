"""The plugin for dissect.target: `target-query -f vmrescue` yields the findings as records.

dissect.target has two ways to find a plugin that is not its own: ``--plugin-path``, and the environment's
``DISSECT_PLUGINS``. Either takes the folder that ``python -m vmrescue.dissect_plugin`` prints.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "plugins"  # dissect.target loads every file in it
