"""`python -m library`: serves the desk on 127.0.0.1:8000."""

from __future__ import annotations

import os
from wsgiref.simple_server import make_server

from library.app import Library
from library.config import Config


def main() -> None:
    library = Library.open(Config.from_environment(os.environ))
    with make_server("127.0.0.1", 8000, library) as server:
        print("http://127.0.0.1:8000/books")
        server.serve_forever()


if __name__ == "__main__":
    main()
