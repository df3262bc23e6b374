"""Strategies that know what they can not know, each in its own way, and one that only seems to."""
