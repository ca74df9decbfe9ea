"""ApiFunction: the HTTP API, FastAPI behind API Gateway through Mangum."""
