"""Measurements behind docs/performance.md: variants interleaved in one run, reported as medians and ratios."""
