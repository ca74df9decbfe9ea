"""Conformance of the deployed API with its OpenAPI document, by Schemathesis over HTTP."""
