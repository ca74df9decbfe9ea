"""CallbackFunction: tells the owners of tasks that these have ended."""
