"""The HT desktop client behind its HTTP server: reads of a window, and orders typed into it (contracts/ht.md)."""
