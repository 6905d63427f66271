"""One module per table: its rows as a dataclass, and its SQL as functions over a connection."""
