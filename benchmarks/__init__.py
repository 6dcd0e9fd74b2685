"""What vmrescue's commands cost, beside other programs that do the same. `python -m benchmarks --help`."""
