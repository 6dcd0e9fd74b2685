"""A command file of Windows' (a runbook), without control flow: read whole, then made one plan of."""
