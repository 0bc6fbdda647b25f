"""Dividing a dataset into sides that share no text and no group."""
