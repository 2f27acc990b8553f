"""`python -m corpuscope`: the same as the command `corpuscope`."""

from corpuscope.server.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
