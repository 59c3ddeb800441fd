"""Checks and measurements on an accelerator; see README.md. Not part of the package."""
