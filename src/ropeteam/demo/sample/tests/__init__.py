"""The tests: `python3 -m unittest discover -v`."""
