"""The pure heart: no clock, no hidden randomness, no files, no processes. Frozen values in, values out."""
