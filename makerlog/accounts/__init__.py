"""Makers, their tokens, and who may do what."""
