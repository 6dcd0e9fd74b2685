"""Defragmentation: which files are in pieces, the plan of moves, and the moves."""
