"""Powertools' resolver, with a log line for each request."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from tandem_tools.bench.compared.order import Order

logger = Logger()
plain = APIGatewayHttpResolver()
validating = APIGatewayHttpResolver(enable_validation=True)


@plain.get("/health")
def get_health() -> dict[str, str]:
    """Answer as ours does."""
    return {"status": "ok"}


@validating.post("/orders")
def post_order(order: Order) -> Order:
    """Return what was sent."""
    return order


def get(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Resolve without validation."""
    return _logged(plain, event, context)


def post(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Resolve with validation."""
    return _logged(validating, event, context)


def _logged(
    resolver: APIGatewayHttpResolver, event: dict[str, Any], context: Any
) -> dict[str, Any]:
    answer: dict[str, Any] = resolver.resolve(event, context)
    http = event["requestContext"]["http"]
    logger.info("request", method=http["method"], status=answer["statusCode"])
    return answer
