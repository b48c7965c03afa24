"""Texts as vectors, and vectors on a map."""
