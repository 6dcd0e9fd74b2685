"""Documents made from a diagnosis: each a function without side effects."""
