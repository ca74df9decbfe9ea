"""The body of 2 KB that both frameworks validate."""

from typing import Any

from pydantic import BaseModel, Field


class Line(BaseModel):
    """One line of an order."""

    sku: str = Field(min_length=1, max_length=40)
    quantity: int = Field(ge=1)
    price: float = Field(ge=0)
    tags: list[str]


class Order(BaseModel):
    """An order."""

    customer: str
    note: str | None = None
    lines: list[Line] = Field(min_length=1)


def example() -> dict[str, Any]:
    """Return an order of 2 KB of JSON."""
    line = {"quantity": 3, "price": 19.9, "tags": ["new", "fragile", "gift"]}
    return {"customer": "acme", "lines": [line | {"sku": f"sku-{n:06}"} for n in range(22)]}
