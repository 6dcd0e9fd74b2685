"""The check of a volume: records, clusters, names, indexes."""
