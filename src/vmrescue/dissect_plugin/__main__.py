"""Prints the folder of the plugin, for dissect.target."""

from __future__ import annotations

from vmrescue.dissect_plugin import FOLDER

if __name__ == "__main__":
    print(FOLDER)
