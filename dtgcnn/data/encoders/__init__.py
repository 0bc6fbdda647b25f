"""Text encoders, the tokeniser, and what they keep on the disk."""
