"""Checks of settings in the registry."""
