"""Our own plain market-data stream: JSON frames over a WebSocket at ``/stream``."""
