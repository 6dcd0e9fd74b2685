"""Microsoft's own languages: bcdedit, and reg."""
