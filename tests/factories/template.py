"""What the deployed template says of the table."""

from functools import cache

from tandem_tools.template import Node, load_template


@cache
def table_schema() -> Node:
    """Return what CreateTable needs for the template's table."""
    properties = load_template()["Resources"]["TaskTable"]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    return {name: properties[name] for name in wanted}
