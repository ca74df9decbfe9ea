"""The rules of a task's life. Nothing here imports AWS, HTTP or Pydantic."""
