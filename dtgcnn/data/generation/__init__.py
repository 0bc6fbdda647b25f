"""Triplets made of labelled texts or of pairs."""
