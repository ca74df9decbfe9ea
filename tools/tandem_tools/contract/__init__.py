"""The API's contract: its reference is played on a stack, and its document is attacked."""
