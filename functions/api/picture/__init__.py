"""The picture of the last hour: imported with the first request for it."""
