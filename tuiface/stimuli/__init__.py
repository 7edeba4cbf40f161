"""Stimuli from faces: transitions, exchanges, neighbours. Headless, for the commands and the interface alike."""
