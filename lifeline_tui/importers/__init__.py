"""Imports: one file each.  Nothing is half imported: a file is checked whole, then stored in one transaction."""
