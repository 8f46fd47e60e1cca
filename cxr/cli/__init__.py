"""The `cxr` command: arguments in, words out. What it does is done elsewhere; only this room prints."""
