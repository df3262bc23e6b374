"""Killing real processes of the engine: at named points, at random moments, and while their disk fails them."""
