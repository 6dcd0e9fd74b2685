"""Moving clusters: where files lie in pieces, the plan of the moves, and the moves."""
