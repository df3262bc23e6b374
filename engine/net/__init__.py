"""Wire tools without trading in them: HTTP calls, WebSocket and poll loops, call budgets, back-off."""
