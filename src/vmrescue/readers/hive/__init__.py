"""Registry hives through dissect.regf."""
