"""WorkerFunction: runs the tasks that the queue delivers."""
