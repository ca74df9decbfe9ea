"""The HTTP API: FastAPI behind API Gateway through Mangum."""
