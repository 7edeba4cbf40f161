"""What moves a face on purpose: edits, locks, measures, discovery and learning of directions.

Importing it loads nothing; each module is imported where it is used.
"""
