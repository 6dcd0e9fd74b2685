"""What the tests share: real data, independent judges, and the machine's limits."""
