"""One file a strategy; each imports only ``engine``."""
