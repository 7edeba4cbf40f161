"""Everything that the embedded faces are, from heads to cards, in pieces that a card held for minutes can do.

plan      what is trained, by which settings, and how much of it
pieces    files in parts of at most 16 MiB, named by their digests, and put together again
work      the folder: what is done of each stage, and state.json, which says so
stages    the stages, each by the project's own functions, each resumable
sheets    pictures of the faces, old beside new
"""
