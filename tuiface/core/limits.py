"""Limits that formats, commands, settings and the interface must agree on, importable in no time.

They stand apart from the modules that they are of because those need numpy or pydantic, for which neither --help nor
the interface's first paint can wait.
"""

from __future__ import annotations

# --- numbers and texts ------------------------------------------------------------------------------------------------

MAX_EXACT_INTEGER = 2**53 - 1
"""The largest that every reader of JSON holds exactly, and that canonical JSON (RFC 8785) accepts: so nothing that has
a digest is larger, nor the number of a population of heads, nor the seed of a training."""
MAX_PATH_BYTES = 4095
"""Linux' PATH_MAX, without the NUL at its end."""
MAX_NAME = 200
"""Characters of a name that files record: of a network, a version, a user."""
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
NAME_WORDS = "a small letter, then up to 63 small letters, digits and _"
"""Names of directions and populations, and that in words."""

# --- faces ------------------------------------------------------------------------------------------------------------

MAX_RATING = 5
"""Of a face; 0 is no rating."""
MAX_SEED = 2**32 - 1
"""numpy's RandomState takes no larger one."""
W_AVG = "w_avg"
"""The network's own mean latent, as `truncation.center`."""
DEFAULT_PSI = 0.7
"""Truncation of new faces, and of those that are measured: figures are to hold where people work."""
PSI_RANGE = (-3, 3)
"""Beyond these a face is a blot of colour in any network."""
MAX_AMOUNT = 1000.0
"""Largest amount of an edit, and of a limit, with --beyond too: no face is left at a tenth of it."""
CHANNEL_LIMIT = 30.0
"""Largest amount of style channels without asking, of one alone or of a direction made of one: it moves little."""

# --- networks and pictures --------------------------------------------------------------------------------------------

MAX_WIDTH = 65_536
"""Numbers in a row of latents, channels of a layer, classes: far beyond any network."""
MAX_ROWS = 1024
"""Of W+; the largest network has 22."""
MAX_SIDE_PX = 4096
"""Of a picture, pixels: four times the largest published network."""
NETWORK_SIDES_PX = (8, 16, 32, 64, 128, 256, 512, 1024)
"""Networks are trained and measured at these."""
HEAD_SIDES_PX = (32, 64, 128, 256, 512)
"""Heads are rendered at these."""

ID_LENGTH = 10
"""Characters of a recipe's digest that are the id of its face; more where these are digits, which are a seed."""

# --- work -------------------------------------------------------------------------------------------------------------

MAX_THREADS = 1024
"""CPU threads that a picture may be asked for: the largest machines have half of them."""
MAX_FACES = 10_000
"""Faces of one request to an engine, and so of what a direction is learned from or measured on."""
MAX_RENDERED = 100_000
"""Faces that one command renders."""
MAX_DRAWS = 100_000
"""Faces that are drawn to be read, an hour's work: what is known of them is kept, a gigabyte of a large network's."""
MAX_DIRECTIONS = 1024
"""Directions that one search or strip may be of."""
MIN_CLUSTERS, MAX_CLUSTERS = 2, 32
"""Groups of activations, by which the regions of a network are named."""
MIN_ANSWERS, MAX_ANSWERS = 30, 200
"""Of one person, from which a concept is learned."""
MAX_FRAMES = 10_000
"""Of a transition."""
MAX_FILM_PIXELS = 2**28
"""Of all frames of a film together, which are in memory at once: 256 frames of 1024 px, 4096 of 256 px."""
FPS_RANGE = (0.1, 120.0)
"""Frames a second of a film; a GIF counts hundredths of a second."""
MAX_HEADS = 1_000_000
"""Of a data set, whose files are numbered in six digits."""
MAX_WORKERS = 256
"""Processes that render heads."""
MAX_BATCH = 4096
"""Pictures of a step of training."""
