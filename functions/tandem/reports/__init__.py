"""Reports of what was processed: counted by window, closed each minute, sent to sinks."""
