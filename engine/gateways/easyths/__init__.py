"""EasyTHS: a Windows trading client behind an operation queue (contracts/easyths.md)."""
