"""Checks of volumes: their state, their space, and how what is read at the start lies on them."""
