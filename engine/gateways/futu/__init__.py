"""The Futu gateway: REST and push of a FutuOpenD-compatible daemon."""
