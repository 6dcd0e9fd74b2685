"""Checks of the boot store, and what they share."""
