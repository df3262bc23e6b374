"""AmazingData: a historical data service over HTTP. No orders, no real-time quotes; bars, calendars, statements."""
