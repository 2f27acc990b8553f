"""The command `corpuscope`: serve, show, check."""

import argparse
import logging
import signal
import sys

from pydantic import ValidationError

import corpuscope
from corpuscope.prompts import BadTemplate

DESCRIPTION = """Finds, explains and shows the themes in a pile of texts, as an MCP server.
Without a command it serves an MCP host over standard input and output."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser("corpuscope", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=corpuscope.__version__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("demo", help="cluster the docstrings of Python's standard library, and say")
    commands.add_parser("doctor", help="show what is configured, reachable and installed")
    chosen = parser.parse_args(arguments)
    # Standard output belongs to the protocol, or to what the command has to say.
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)

    from corpuscope.server.settings import read_settings

    try:
        settings = read_settings()
    except ValidationError as error:
        print(_complaint(error), file=sys.stderr)
        return 2
    except UnicodeDecodeError as error:
        print(f"corpuscope cannot start: .env is not UTF-8 ({error}).", file=sys.stderr)
        return 2
    except OSError as error:  # .env may not be read, or the current folder is gone
        where = error.filename or "the current folder"
        print(f"corpuscope cannot start: {where}: {error.strerror}.", file=sys.stderr)
        return 2
    from corpuscope.tools.core.files import write_privately

    match chosen.command:
        case "demo":
            from corpuscope.server.demo import run_demo

            return run_demo()
        case "doctor":
            write_privately()
            from corpuscope.server.doctor import run_doctor

            return run_doctor(settings)
    # Until it serves there is nothing to clean up, and no traceback to show.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from corpuscope.server.app import build_server
    from corpuscope.server.ending import serve_to_the_end

    try:
        server = build_server(settings)
    except BadTemplate as error:  # one of the person's own
        print(f"corpuscope cannot start: {error}", file=sys.stderr)
        return 2
    write_privately()
    serve_to_the_end(server.run_stdio_async)


def _complaint(error: ValidationError) -> str:
    """One line per wrong setting; never its value, which may be a secret."""
    lines = [
        f"CORPUSCOPE_{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    ]
    return "\n".join(["corpuscope cannot start, these settings are wrong:", *lines])
