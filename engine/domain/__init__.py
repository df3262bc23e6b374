"""Ground floor: the words of the trade, as frozen structs. Imports nothing of ours."""
