"""Drawn vehicles: a benchmark that anyone can make."""
