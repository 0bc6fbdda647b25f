"""Writing records, triplets and datasets to files that reading reads."""
