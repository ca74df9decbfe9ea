"""What must hold for the template and its environments, whatever else changes in them."""

import json
import re
import tomllib
from typing import Any

import pytest

from tandem.limits import (
    BATCH_MESSAGES,
    CALLBACK_CONNECT_SECONDS,
    CALLBACK_SECONDS,
    SINK_CLAIM,
    SINK_CONNECT_SECONDS,
    SINK_PATIENCE,
    SINK_POST_SECONDS,
    SINK_TIME,
)
from tandem.posting import ADDRESSES
from tandem.settings import Settings, read_settings
from tandem_tools.template import TEMPLATE_FILE, Node, load_template

TEXT = TEMPLATE_FILE.read_text()
CONFIGURATION = tomllib.loads(TEMPLATE_FILE.with_name("samconfig.toml").read_text())
DEPLOYED = sorted(set(CONFIGURATION) - {"version", "local"})
DAY_SECONDS = 24 * 60 * 60

TEMPLATE = load_template()
RESOURCES: Node = TEMPLATE["Resources"]
PARAMETERS: Node = TEMPLATE["Parameters"]


def of_type(kind: str) -> dict[str, Node]:
    return {name: one for name, one in RESOURCES.items() if one["Type"] == kind}


def properties(name: str) -> Node:
    found: Node = RESOURCES[name]["Properties"]
    return found


def overrides(environment: str) -> dict[str, str]:
    said: list[str] = CONFIGURATION[environment]["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in said)


def value(environment: str, parameter: str) -> int:
    return int(overrides(environment).get(parameter, PARAMETERS[parameter]["Default"]))


def statements(resource: Node) -> list[Node]:
    found = resource["Properties"]
    documents = [one["PolicyDocument"] for one in found.get("Policies", [])]
    documents += [found["PolicyDocument"]] if "PolicyDocument" in found else []
    return [statement for document in documents for statement in document["Statement"]]


FUNCTIONS = of_type("AWS::Serverless::Function")
ROLES = of_type("AWS::IAM::Role")
GRANTS = ROLES | of_type("AWS::IAM::Policy")


@pytest.mark.parametrize("environment", DEPLOYED)
def test_a_message_stays_hidden_for_six_times_the_workers_timeout(environment: str) -> None:
    assert properties("WorkerFunction")["Timeout"] == {"Ref": "WorkerTimeoutSeconds"}
    assert properties("TaskQueue")["VisibilityTimeout"] == {"Ref": "VisibilityTimeoutSeconds"}
    hidden = value(environment, "VisibilityTimeoutSeconds")
    assert hidden >= 6 * value(environment, "WorkerTimeoutSeconds")


@pytest.mark.parametrize("environment", DEPLOYED)
def test_sqs_gives_up_on_a_message_after_any_processor_would_have(environment: str) -> None:
    assert properties("TaskQueue")["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": "DeadLetterQueue.Arn"},
        "maxReceiveCount": {"Ref": "MaxReceiveCount"},
    }
    assert value(environment, "MaxReceiveCount") >= 10


def test_no_batch_is_larger_than_what_the_sweep_takes_for_lost_with_a_process() -> None:
    assert PARAMETERS["WorkerBatchSize"]["MaxValue"] == BATCH_MESSAGES


def test_the_worker_knows_when_sqs_gives_up_on_a_message() -> None:
    variables = properties("WorkerFunction")["Environment"]["Variables"]
    assert variables["MAX_RECEIVE_COUNT"] == {"Ref": "MaxReceiveCount"}
    assert Settings().max_receive_count == PARAMETERS["MaxReceiveCount"]["Default"]


@pytest.mark.parametrize("environment", DEPLOYED)
def test_an_environment_sets_only_parameters_that_the_template_has(environment: str) -> None:
    assert overrides(environment).keys() <= PARAMETERS.keys()


@pytest.mark.parametrize("environment", DEPLOYED)
def test_an_environment_builds_with_our_step_every_time(environment: str) -> None:
    building = CONFIGURATION[environment]["build"]["parameters"]
    assert "manifest" not in building  # it would take the place of the step's makefile
    assert "cached" not in building  # SAM's cache looks at functions/ alone; the step has its own


def test_every_function_is_made_by_the_same_step_for_its_processor() -> None:
    functions = [
        one for one in TEMPLATE["Resources"].values() if one["Type"] == "AWS::Serverless::Function"
    ]
    assert len(functions) >= 4
    made = {
        "BuildMethod": "makefile",
        "ContextPath": {"Fn::Sub": "tools/build/${Architecture}"},
        "WorkingDirectory": ".",
    }
    for function in functions:
        assert function["Metadata"] | made == function["Metadata"]


def test_what_the_scanner_is_not_to_ask_of_a_resource_says_why() -> None:
    skipped = [
        one
        for resource in RESOURCES.values()
        for one in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    assert skipped
    assert [one["id"] for one in skipped if len(one["comment"]) < 30] == []


@pytest.mark.parametrize("environment", DEPLOYED)
def test_an_environment_has_what_only_the_emulator_lacks(environment: str) -> None:
    assert overrides(environment).get("Emulated", PARAMETERS["Emulated"]["Default"]) == "false"
    assert TEMPLATE["Conditions"]["OnAws"] == {"Fn::Equals": [{"Ref": "Emulated"}, "false"]}


def test_environments_are_stacks_of_their_own() -> None:
    names = [CONFIGURATION[one]["global"]["parameters"]["stack_name"] for one in DEPLOYED]
    assert len(set(names)) == len(DEPLOYED)


def test_production_is_not_changed_without_a_look_at_the_changes() -> None:
    assert CONFIGURATION["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


@pytest.mark.parametrize(
    ("function", "event"), [("WorkerFunction", "Tasks"), ("CallbackFunction", "Callbacks")]
)
def test_one_failed_record_does_not_fail_its_batch(function: str, event: str) -> None:
    source = properties(function)["Events"][event]["Properties"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("kind", ["", "Callback"])
def test_dead_letters_outlive_the_messages_of_the_queue(kind: str) -> None:
    dead = properties(f"{kind}DeadLetterQueue")["MessageRetentionPeriod"]
    assert dead == 14 * DAY_SECONDS
    assert dead > properties(f"{kind or 'Task'}Queue")["MessageRetentionPeriod"]


def test_a_batch_of_callbacks_ends_in_the_functions_time_and_its_messages_stay_hidden() -> None:
    function = properties("CallbackFunction")
    batch = function["Events"]["Callbacks"]["Properties"]["BatchSize"]
    assert int(function["Environment"]["Variables"]["THREAD_POOL_SIZE"]) >= batch
    connecting = ADDRESSES * CALLBACK_CONNECT_SECONDS
    assert function["Timeout"] > connecting + CALLBACK_SECONDS + 10
    assert properties("CallbackQueue")["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_all_attempts_of_a_callback_are_made_before_sqs_gives_it_up() -> None:
    parameter = PARAMETERS["CallbackRetrySeconds"]
    longest = ",".join(["39600"] * 9)
    assert re.fullmatch(parameter["AllowedPattern"], longest)
    assert not re.fullmatch(parameter["AllowedPattern"], longest + ",1")
    assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"])
    queue = properties("CallbackQueue")
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {
        "Fn::GetAtt": "CallbackDeadLetterQueue.Arn"
    }
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 2 * 10
    waits = [int(wait) for wait in parameter["Default"].split(",")]
    assert tuple(waits) == Settings().callback_retry_seconds
    assert 2 * sum(waits) < queue["MessageRetentionPeriod"]


def set_by_parameters() -> set[tuple[str, str]]:
    """Return the variables of functions that are a parameter's value, with the parameter."""
    functions = [
        TEMPLATE["Globals"]["Function"],
        *(one["Properties"] for one in FUNCTIONS.values()),
    ]
    return {
        (variable, text["Ref"])
        for function in functions
        for variable, text in function.get("Environment", {}).get("Variables", {}).items()
        if isinstance(text, dict) and text.get("Ref") in PARAMETERS
    }


def test_every_number_that_the_template_takes_lets_the_functions_start() -> None:
    checked = set()
    for variable, name in set_by_parameters():
        declared = PARAMETERS[name]
        if declared["Type"] != "Number" or variable.lower() not in Settings.model_fields:
            continue
        # A bound that the template does not have, the settings have not either.
        most = declared.get("MaxValue", 10**9)
        for number in (declared["MinValue"], most):
            read_settings({variable: str(number)})
        checked.add(name)
    assert {"TaskRetentionDays", "ThreadPoolSize", "IndexShards", "MaxReceiveCount"} <= checked


@pytest.mark.parametrize("waits", ["1", "9999", "10000", "39599", "39600", "39601", "40000", "0"])
def test_waits_that_the_template_takes_let_the_functions_start(waits: str) -> None:
    taken = re.fullmatch(PARAMETERS["CallbackRetrySeconds"]["AllowedPattern"], waits)
    assert bool(taken) is (1 <= int(waits) <= 39_600)
    if taken:
        read_settings({"CALLBACK_RETRY_SECONDS": waits})


def test_what_talks_to_hosts_that_callers_name_may_do_little_else() -> None:
    allowed = {
        (action, json.dumps(statement["Resource"]))
        for statement in statements(ROLES["CallbackRole"])
        if statement["Sid"] not in {"Logs", "Traces"}
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    assert {action for action, _ in allowed} == {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "secretsmanager:GetSecretValue",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
    }
    assert not any("TaskQueue" in resource or "Bucket" in resource for _, resource in allowed)


def test_secrets_are_read_by_those_that_sign_show_keys_or_run_processors() -> None:
    readers = {
        (name, str(statement["Resource"]))
        for name, grant in GRANTS.items()
        for statement in statements(grant)
        if "secretsmanager:GetSecretValue" in str(statement["Action"])
    }
    assert readers == {
        ("ApiRole", "{'Fn::GetAtt': 'CallbackSecret.Id'}"),
        ("ApiRole", "{'Fn::GetAtt': 'ProcessorSettings.Id'}"),
        ("WorkerRole", "{'Fn::GetAtt': 'ProcessorSettings.Id'}"),
        ("CallbackRole", "{'Fn::GetAtt': 'CallbackSecret.Id'}"),
        ("ReportWebhookAccess", "{'Fn::GetAtt': 'ReportWebhookSecret.Id'}"),
        ("OtlpHeadersAccess", "{'Ref': 'OtlpHeadersSecret'}"),
    }


def test_who_runs_processors_has_their_policy_and_their_settings_and_nobody_else() -> None:
    runs = {
        name
        for name, one in RESOURCES.items()
        if one["Type"] == "AWS::Serverless::Function"
        and "PROCESSOR_SETTINGS_SECRET" in one["Properties"]["Environment"]["Variables"]
    }
    assert runs == {"ApiFunction", "WorkerFunction"}
    for name in runs:
        variables = RESOURCES[name]["Properties"]["Environment"]["Variables"]
        assert variables["PROCESSOR_SETTINGS_SECRET"] == {"Fn::GetAtt": "ProcessorSettings.Id"}
        assert variables["SETTINGS_MAX_AGE_SECONDS"] == {"Ref": "SettingsMaxAgeSeconds"}
    roles = {RESOURCES[name]["Properties"]["Role"]["Fn::GetAtt"].partition(".")[0] for name in runs}
    policy = RESOURCES["ProcessorPolicy"]["Properties"]
    assert {role["Ref"] for role in policy["Roles"]} == roles


def test_no_deployment_sets_the_settings_of_processors() -> None:
    secret = RESOURCES["ProcessorSettings"]
    assert not secret["Properties"].keys() & {"SecretString", "GenerateSecretString"}
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == (
        "RetainExceptOnCreate",
        "Retain",
    )


@pytest.mark.parametrize("name", ["CallbackSecret", "ReportWebhookSecret"])
def test_a_secret_is_made_by_aws_and_outlives_the_stack(name: str) -> None:
    secret = RESOURCES[name]
    assert secret["DeletionPolicy"] == "RetainExceptOnCreate"
    assert secret["Properties"]["GenerateSecretString"]["PasswordLength"] >= 32
    assert "SecretString" not in secret["Properties"]


def test_nothing_private_may_be_called_unless_someone_says_so() -> None:
    assert PARAMETERS["CallbackAllowedNetworks"]["Default"] == ""
    assert not any("CallbackAllowedNetworks" in overrides(one) for one in DEPLOYED)


def test_a_report_is_made_every_minute() -> None:
    schedule = properties("ReportFunction")["Events"]["EveryMinute"]["Properties"]["Schedule"]
    assert schedule == "rate(1 minute)"


def test_iam_names_its_resources_or_says_why_it_cannot() -> None:
    lines = TEXT.splitlines()
    wide = [line for line in lines if re.search(r"""(Resource:|-)\s*["']\*["']""", line)]
    unexplained = [line for line in wide if not re.search(r"#\s+\S.{30,}", line)]
    everywhere = [
        statement
        for role in GRANTS.values()
        for statement in statements(role)
        if statement["Resource"] == "*" or "*" in statement["Resource"]
    ]
    assert len(wide) == len(everywhere)
    assert unexplained == []


def test_iam_allows_actions_by_name() -> None:
    allowed = [
        action
        for role in GRANTS.values()
        for statement in statements(role)
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    ]
    assert allowed
    assert [action for action in allowed if "*" in action] == []


def test_who_stores_files_takes_back_the_parts_of_one_that_fails() -> None:
    def may(action: str) -> set[str]:
        return {
            name
            for name, role in GRANTS.items()
            for statement in statements(role)
            if action in statement["Action"] and "/tasks/*" in str(statement["Resource"])
        }

    assert may("s3:PutObject") == {"ApiRole", "WorkerRole"}
    assert may("s3:AbortMultipartUpload") == may("s3:PutObject")


def test_every_function_has_a_role_of_its_own() -> None:
    roles = [one["Properties"]["Role"]["Fn::GetAtt"].split(".")[0] for one in FUNCTIONS.values()]
    assert sorted([*roles, "DeploymentRole"]) == sorted(ROLES)  # the latter is CodeDeploy's
    assert [name for name, one in ROLES.items() if "ManagedPolicyArns" in one["Properties"]] == []


def test_only_lambda_may_take_a_functions_role() -> None:
    for name, role in ROLES.items():
        [trust] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = "codedeploy" if name == "DeploymentRole" else "lambda"
        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert trust["Action"] == "sts:AssumeRole"


def test_a_function_asks_what_is_in_the_bucket_below_its_own_prefixes_only() -> None:
    listing = [
        statement
        for role in ROLES.values()
        for statement in statements(role)
        if "s3:ListBucket" in statement["Action"]
    ]
    assert listing
    for statement in listing:
        prefixes = statement["Condition"]["StringLike"]["s3:prefix"]
        assert statement["Condition"] == {"StringLike": {"s3:prefix": prefixes}}
        assert prefixes
        assert {*prefixes} <= {"uploads/*", "tasks/*"}


def test_every_function_logs_to_a_group_that_ends_and_to_no_other() -> None:
    groups = of_type("AWS::Logs::LogGroup")
    assert all("RetentionInDays" in group["Properties"] for group in groups.values())
    for function in FUNCTIONS.values():
        group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        role = ROLES[function["Properties"]["Role"]["Fn::GetAtt"].split(".")[0]]
        (logs,) = [one for one in statements(role) if one["Sid"] == "Logs"]
        assert logs["Resource"] == {"Fn::GetAtt": f"{group}.Arn"}


def test_only_health_documentation_and_preflights_need_no_token() -> None:
    open_routes = [
        route["Properties"]["RouteKey"]
        for route in of_type("AWS::ApiGatewayV2::Route").values()
        if route["Properties"].get("AuthorizationType") != "JWT"
        or "AuthorizerId" not in route["Properties"]
    ]
    assert open_routes == [
        "ANY /health",
        "ANY /openapi.json",
        "ANY /docs",
        "ANY /docs/{part}",
        "OPTIONS /{proxy+}",
    ]


def test_the_api_answers_before_the_gateway_gives_up() -> None:
    gateway_ms = properties("ApiIntegration")["TimeoutInMillis"]
    assert PARAMETERS["OnlineBudgetSeconds"]["MaxValue"] < properties("ApiFunction")["Timeout"]
    assert properties("ApiFunction")["Timeout"] * 1000 < gateway_ms <= 30_000


def test_no_ordinary_client_gets_an_operators_scope() -> None:
    assert properties("MachineClient")["AllowedOAuthScopes"] == [
        "tandem/tasks:read",
        "tandem/tasks:write",
    ]


def test_an_issuer_of_your_own_makes_no_user_pool() -> None:
    cognito = [one for one in RESOURCES.values() if one["Type"].startswith("AWS::Cognito::")]
    assert cognito
    assert {one.get("Condition") for one in cognito} == {"MakesUserPool"}


def resolved(node: Any, stack_id: str) -> Any:
    """Return what CloudFormation makes of the functions that name a domain."""
    match node:
        case {"Ref": "AWS::StackId"}:
            return stack_id
        case {"Fn::Split": [separator, text]}:
            return resolved(text, stack_id).split(separator)
        case {"Fn::Select": [index, values]}:
            return resolved(values, stack_id)[index]
        case {"Fn::Sub": [text, values]}:
            for name, value in values.items():
                text = text.replace(f"${{{name}}}", resolved(value, stack_id))
            return text
    raise ValueError(node)


def test_no_two_stacks_want_the_same_domain() -> None:
    stacks = [  # two that one host made, and two of times whose lowest 32 bits are the same
        "51af3dc0-da77-11e4-872e-1234567db123",
        "51af3dc1-da77-11e4-872e-1234567db123",
        "51af3dc0-da78-11e4-872e-1234567db123",
    ]
    arn = "arn:aws:cloudformation:eu-central-1:123456789012:stack/tandem-dev"
    domain = properties("UserPoolDomain")["Domain"]
    domains = {resolved(domain, f"{arn}/{uuid}") for uuid in stacks}
    assert len(domains) == len(stacks)
    # https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolDomain.html
    assert all(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", one) for one in domains)


@pytest.mark.parametrize(
    ("policy", "target"),
    [
        ("TaskQueuePolicy", {"Fn::GetAtt": "TaskQueue.Arn"}),
        ("DeadLetterQueuePolicy", {"Fn::GetAtt": "DeadLetterQueue.Arn"}),
        ("CallbackQueuePolicy", {"Fn::GetAtt": "CallbackQueue.Arn"}),
        ("CallbackDeadLetterQueuePolicy", {"Fn::GetAtt": "CallbackDeadLetterQueue.Arn"}),
        ("TaskBucketPolicy", {"Fn::Sub": "${TaskBucket.Arn}/*"}),
        ("ReportsTopicPolicy", {"Ref": "ReportsTopic"}),
    ],
)
@pytest.mark.parametrize("environment", DEPLOYED)
def test_queues_and_bucket_refuse_calls_without_tls(
    environment: str, policy: str, target: Node
) -> None:
    assert overrides(environment).get("RequireTls", PARAMETERS["RequireTls"]["Default"]) == "true"
    (statement,) = statements(RESOURCES[policy])
    assert statement["Effect"] == "Deny"
    assert statement["Principal"] == "*"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert target == statement["Resource"] or target in statement["Resource"]


def test_everything_at_rest_is_encrypted() -> None:
    assert all(
        one["Properties"]["SqsManagedSseEnabled"] for one in of_type("AWS::SQS::Queue").values()
    )
    assert properties("TaskTable")["SSESpecification"] == {"SSEEnabled": True}
    assert "BucketEncryption" in properties("TaskBucket")
    assert properties("ReportsTopic") == {"KmsMasterKeyId": "alias/aws/sns"}


def test_the_bucket_is_private_and_forgets() -> None:
    bucket = properties("TaskBucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    prefixes = {rule.get("Prefix") for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert {"uploads/", "tasks/"} <= prefixes


def test_pages_of_the_apis_own_origin_may_send_and_read_files_whatever_is_set() -> None:
    own, *others = properties("TaskBucket")["CorsConfiguration"]["CorsRules"]
    assert own["AllowedOrigins"][0] == {"Fn::GetAtt": "HttpApi.ApiEndpoint"}
    assert {"GET", "POST"} <= {*own["AllowedMethods"]}
    assert [one["Fn::If"][0] for one in others] == ["AllowsOrigins", "AllowsOrigins"]
    pages, redirected = (one["Fn::If"][1] for one in others)
    assert pages == own | {
        "Id": pages["Id"],
        "AllowedOrigins": {"Fn::Split": [",", {"Ref": "CorsOrigins"}]},
    }
    assert redirected["AllowedMethods"] == ["GET", "HEAD"]  # any page may read, none may send


def test_the_table_can_be_restored_and_forgets() -> None:
    table = properties("TaskTable")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert RESOURCES["TaskTable"]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_a_message_of_the_worker_never_waits_for_a_thread() -> None:
    source = properties("WorkerFunction")["Events"]["Tasks"]["Properties"]
    assert source["BatchSize"] == {"Ref": "WorkerBatchSize"}
    assert PARAMETERS["WorkerBatchSize"]["Default"] <= PARAMETERS["ThreadPoolSize"]["Default"]
    assert "MaximumBatchingWindowInSeconds" not in source
    # A larger batch needs a window: AWS refuses it without.
    assert PARAMETERS["WorkerBatchSize"]["MaxValue"] <= 10


def test_nothing_is_made_or_allowed_for_a_sink_that_nobody_asked_for() -> None:
    conditions = {
        "ReportsTopic": "ReportsToTopic",
        "ReportsTopicPolicy": "ReportsToTopicOverTls",
        "ReportsTopicAccess": "ReportsToTopic",
        "ReportEmailSubscription": "MailsReports",
        "ReportWebhookSecret": "ReportsToWebhook",
        "ReportWebhookAccess": "ReportsToWebhook",
        "OtlpHeadersAccess": "NamesOtlpHeaders",
    }
    assert {name: RESOURCES[name].get("Condition") for name in conditions} == conditions
    parameters = ("ReportEmail", "ReportWebhookUrl", "OtlpEndpoint", "OtlpHeadersSecret")
    assert {PARAMETERS[name]["Default"] for name in parameters} == {""}
    assert PARAMETERS["ReportTopic"]["Default"] == "false"
    assert PARAMETERS["ReportToCloudWatch"]["Default"] == "true"


def test_reports_are_posted_over_tls() -> None:
    pattern = PARAMETERS["ReportWebhookUrl"]["AllowedPattern"]
    assert re.fullmatch(pattern, "https://example.com/reports")
    assert not re.fullmatch(pattern, "http://example.com/reports")


def test_a_run_waits_for_its_slowest_sink_and_is_done_before_its_claim_is_over() -> None:
    slowest = ADDRESSES * SINK_CONNECT_SECONDS + SINK_POST_SECONDS
    assert SINK_TIME.total_seconds() + slowest < SINK_PATIENCE.total_seconds()
    assert SINK_PATIENCE < SINK_CLAIM
    assert SINK_CLAIM.total_seconds() < 60
    assert 4 * SINK_PATIENCE.total_seconds() < properties("ReportFunction")["Timeout"]


def test_what_starts_environments_sooner_is_off_and_one_excludes_the_other() -> None:
    assert PARAMETERS["SnapStart"]["Default"] == "false"
    assert PARAMETERS["ApiProvisionedConcurrency"]["Default"] == 0
    (assertion,) = TEMPLATE["Rules"]["OneWayToStartSooner"]["Assertions"]
    assert assertion["Assert"]["Fn::Or"] == [
        {"Fn::Equals": [{"Ref": "SnapStart"}, "false"]},
        {"Fn::Equals": [{"Ref": "ApiProvisionedConcurrency"}, "0"]},
    ]


def test_only_what_a_snapshot_can_hold_has_one() -> None:
    functions = of_type("AWS::Serverless::Function")
    with_snapshot = {name for name, one in functions.items() if "SnapStart" in one["Properties"]}
    assert with_snapshot == {"ApiFunction"}
    assert properties("ApiFunction")["EphemeralStorage"] == {"Size": {"Ref": "ApiStorageMb"}}
    assert PARAMETERS["ApiStorageMb"]["Default"] == 512
    (assertion,) = TEMPLATE["Rules"]["SnapshotsHaveTheSmallestDisk"]["Assertions"]
    assert assertion["Assert"]["Fn::Or"] == [
        {"Fn::Equals": [{"Ref": "SnapStart"}, "false"]},
        {"Fn::Equals": [{"Ref": "ApiStorageMb"}, "512"]},
    ]


@pytest.mark.parametrize("function", ["ApiFunction", "WorkerFunction"])
def test_who_runs_processors_knows_what_they_have(function: str) -> None:
    known = {
        "API_MEMORY_MB": ("ApiMemoryMb", properties("ApiFunction")["MemorySize"]),
        "API_STORAGE_MB": ("ApiStorageMb", properties("ApiFunction")["EphemeralStorage"]["Size"]),
        "WORKER_MEMORY_MB": ("WorkerMemoryMb", properties("WorkerFunction")["MemorySize"]),
        "WORKER_STORAGE_MB": (
            "WorkerStorageMb",
            properties("WorkerFunction")["EphemeralStorage"]["Size"],
        ),
        "WORKER_TIMEOUT_SECONDS": ("WorkerTimeoutSeconds", properties("WorkerFunction")["Timeout"]),
    }
    variables = properties(function)["Environment"]["Variables"]
    for variable, (parameter, used) in known.items():
        assert used == {"Ref": parameter}
        assert getattr(Settings(), variable.lower()) == PARAMETERS[parameter]["Default"]
        if variable.startswith("WORKER") or function == "ApiFunction":
            assert variables[variable] == used


def test_metrics_of_routes_are_paid_for_by_who_asks_for_them() -> None:
    assert PARAMETERS["DetailedMetrics"]["Default"] == "false"
    settings = properties("HttpApiStage")["DefaultRouteSettings"]
    assert settings["DetailedMetricsEnabled"] == {"Ref": "DetailedMetrics"}
    assert [one for one in DEPLOYED if "DetailedMetrics" in overrides(one)] == []
