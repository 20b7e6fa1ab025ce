"""The screen.  Text from outside reaches a widget through `show.shown`; `guard.Guarded` catches what forgets to (Law 4)."""
