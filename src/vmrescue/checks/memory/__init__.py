"""Checks of settings by which Windows uses less RAM than the VM has."""
