"""Many runs of one strategy: where to look, how to look, and whether to believe what was found (docs/optimize.md)."""
