"""Widgets that draw lines from what they are given and hold no domain state."""
