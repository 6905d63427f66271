"""The lending desk of a small neighbourhood library."""
