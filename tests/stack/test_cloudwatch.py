"""The dashboard and the alarms as CloudFormation makes them of the template."""

import json

import boto3

from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY
from tandem_tools.harness.stack import DeployedApp
from tandem_tools.run.deployment import STACK_NAME


def test_the_deployed_dashboard_shows_the_deployed_alarms_and_functions(app: DeployedApp) -> None:
    cloudwatch = boto3.client(
        "cloudwatch",
        endpoint_url=app.description.endpoint_url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    found = cloudwatch.get_dashboard(DashboardName=f"{STACK_NAME}-{REGION}")
    body = json.loads(found["DashboardBody"])
    (widget,) = [one["properties"] for one in body["widgets"] if one["type"] == "alarm"]
    deployed = cloudwatch.describe_alarms(MaxRecords=100)["MetricAlarms"]
    assert deployed
    assert sorted(widget["alarms"]) == sorted(one["AlarmArn"] for one in deployed)
    assert all(one["AlarmActions"] == one["OKActions"] for one in deployed)
    shown = {part for part in json.dumps(body).split('"') if part}
    serving = {name: one for name, one in app.description.functions.items() if name != "canary"}
    assert shown >= {*serving.values(), app.description.table}
    assert "${" not in json.dumps(body).replace("${PROP('Dim.", "")
