"""Concept directions as values: their files, their catalogue, what is learned from answers, and what frames measure.

Everything here is numpy; what needs a network lies in `tuiface.engine.edits`.
"""
