"""Prints the folder that dissect.target is to look for the plugin in."""

from __future__ import annotations

from vmrescue.dissect_plugin import FOLDER

if __name__ == "__main__":
    print(FOLDER)
