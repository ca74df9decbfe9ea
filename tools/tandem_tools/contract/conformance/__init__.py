"""Whether the deployed API keeps to its OpenAPI document: Schemathesis, over real HTTP."""
