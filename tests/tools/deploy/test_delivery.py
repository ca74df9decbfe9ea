"""How a release gets its traffic: aliases, versions, CodeDeploy with the canary before it."""

from functools import cache

from tandem_tools.deploy.alarms import gates
from tandem_tools.template import Node, load_template
from tests.factories.transformed import transformed

TEMPLATE = load_template()
RESOURCES: Node = TEMPLATE["Resources"]
FUNCTIONS = [name for name, one in RESOURCES.items() if one["Type"] == "AWS::Serverless::Function"]
SERVING = sorted(set(FUNCTIONS) - {"CanaryFunction"})
"""All but the one that only CodeDeploy calls, which sees how it ends."""


def resources_of(document: Node, kind: str) -> dict[str, Node]:
    return {name: one for name, one in document["Resources"].items() if one["Type"] == kind}


@cache
def deployed() -> dict[str, Node]:
    """What SAM makes of the template, by what was asked for."""
    asked = {
        "plain": {},
        "debug": {"LogLevel": "DEBUG"},
        "canary": {"DeploymentType": "Canary10Percent5Minutes", "Revision": "a" * 64},
        "canary, debug": {"Revision": "b" * 64, "LogLevel": "DEBUG"},
        "direct": {"DeploymentType": "Direct", "Revision": "a" * 64},
    }
    return dict(zip(asked, transformed(*asked.values()), strict=True))


def test_whatever_calls_a_function_calls_its_live_alias() -> None:
    made = deployed()["plain"]
    mappings = resources_of(made, "AWS::Lambda::EventSourceMapping").values()
    rules = resources_of(made, "AWS::Events::Rule").values()
    called = [one["Properties"]["FunctionName"] for one in mappings]
    called += [target["Arn"] for one in rules for target in one["Properties"]["Targets"]]
    called.append(made["Resources"]["ApiIntegration"]["Properties"]["IntegrationUri"])
    permissions = resources_of(made, "AWS::Lambda::Permission").values()
    called += [one["Properties"]["FunctionName"] for one in permissions]
    assert {str(one["Ref"]) for one in called} == {f"{name}Aliaslive" for name in SERVING}


def test_a_new_version_is_published_for_another_revision_of_code_or_parameters() -> None:
    versions = {
        asked: set(resources_of(made, "AWS::Lambda::Version")) for asked, made in deployed().items()
    }
    assert len(versions["canary"]) == len(SERVING)
    assert versions["canary"] == versions["direct"]
    assert not versions["canary"] & versions["canary, debug"]
    # SAM alone looks at the template's text: this is why make deploy says a revision.
    assert versions["debug"] == versions["plain"]
    assert all(RESOURCES[name]["Properties"]["AutoPublishAliasAllProperties"] for name in SERVING)


def test_a_revision_changes_each_function_that_it_publishes_a_version_of() -> None:
    # CloudFormation fails where a function is as its last version: "A version for this Lambda
    # function exists". A parameter such as AlarmEmail changes the revision, and else no function.
    made = deployed()["canary"]["Resources"]
    for name in SERVING:
        assert f"Revision {'a' * 64}" in str(made[name]["Properties"]["Description"])


def test_traffic_moves_after_the_canary_and_back_on_an_alarm() -> None:
    made = deployed()["canary"]
    groups = resources_of(made, "AWS::CodeDeploy::DeploymentGroup")
    for name in SERVING:
        policy = made["Resources"][f"{name}Aliaslive"]["UpdatePolicy"]
        hook = policy["CodeDeployLambdaAliasUpdate"]["BeforeAllowTrafficHook"]
        assert hook == {"Ref": "CanaryFunction"}
        group = groups[f"{name}DeploymentGroup"]["Properties"]
        said = {str(one["Name"]["Ref"]) for one in alarms_of(group)}
        assert f"{name}ErrorsAlarm" in said
        assert said <= resources_of(TEMPLATE, "AWS::CloudWatch::Alarm").keys()
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        kind = group["DeploymentConfigName"]["Fn::Sub"][1]["ConfigName"]
        expected = "AllAtOnce" if name == "ReportFunction" else "Canary10Percent5Minutes"
        assert kind == expected
    api = alarms_of(groups["ApiFunctionDeploymentGroup"]["Properties"])
    assert {"Name": {"Ref": "ApiErrorsAlarm"}} in api


def alarms_of(group: Node) -> Node:
    """Return the alarms that stop a deployment on AWS."""
    found = group["AlarmConfiguration"]
    if "Fn::If" in found:
        condition, found, _ = found["Fn::If"]
        assert condition == "OnAws"
    assert found["Enabled"]
    return found["Alarms"]


def test_make_deploy_looks_at_the_alarms_that_codedeploy_looks_at() -> None:
    groups = resources_of(deployed()["canary"], "AWS::CodeDeploy::DeploymentGroup").values()
    watched = {
        str(one["Name"]["Ref"]) for group in groups for one in alarms_of(group["Properties"])
    }
    assert watched
    assert gates(TEMPLATE) == watched


# AWSCodeDeployRoleForLambda, version 3: the actions, each on every resource.
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSCodeDeployRoleForLambda.html
MANAGED = {
    "cloudwatch:DescribeAlarms",
    "lambda:GetAlias",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:InvokeFunction",  # of CodeDeployHook_*, which the canary is not called
    "lambda:UpdateAlias",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "sns:Publish",
}
NOT_USED = {
    "s3:GetObject": "CloudFormation hands CodeDeploy the revision as a text",
    "s3:GetObjectVersion": "likewise",
    "sns:Publish": "the deployment groups have no triggers",
}


def test_codedeploy_may_do_what_its_managed_role_may_and_reads_alarms_as_that_does() -> None:
    policy = RESOURCES["DeploymentRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    allowed = {
        action: statement["Resource"]
        for statement in policy["Statement"]
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    assert allowed.keys() == MANAGED - NOT_USED.keys()
    assert allowed.pop("cloudwatch:DescribeAlarms") == "*"
    assert "*" not in allowed.values()
    groups = resources_of(deployed()["canary"], "AWS::CodeDeploy::DeploymentGroup").values()
    assert all("TriggerConfigurations" not in one["Properties"] for one in groups)


def test_a_direct_deployment_needs_no_codedeploy() -> None:
    made = deployed()["direct"]
    assert not any("CodeDeploy" in one["Type"] for one in made["Resources"].values())
    assert "ServerlessDeploymentApplication" not in made["Resources"]
    assert "UpdatePolicy" not in made["Resources"]["ApiFunctionAliaslive"]


def test_every_kind_of_deployment_is_mapped() -> None:
    kinds = set(TEMPLATE["Parameters"]["DeploymentType"]["AllowedValues"])
    assert kinds == TEMPLATE["Mappings"]["Deployments"].keys()
