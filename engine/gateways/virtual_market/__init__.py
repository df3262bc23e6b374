"""The virtual stock market: REST reads and market orders (contracts/virtual_market.md)."""
