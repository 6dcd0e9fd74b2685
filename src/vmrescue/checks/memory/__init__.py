"""Checks of what keeps RAM from Windows."""
