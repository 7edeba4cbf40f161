"""One module a command: `add_parser` describes it with light imports, `run` does it."""
