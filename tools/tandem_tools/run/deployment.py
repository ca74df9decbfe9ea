"""`sam deploy` of the unchanged template into the emulator."""

import re
import shutil
import subprocess
import zipfile
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from tandem_tools.build.sam import FUNCTIONS
from tandem_tools.environment import REGION, for_sam
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT, SAM_BIN, program
from tandem_tools.run.aws import Aws
from tandem_tools.template import load_template

if TYPE_CHECKING:
    from mypy_boto3_apigatewayv2.type_defs import CorsTypeDef

STACK_NAME = "tandem-local"
CODE_BUCKET = "tandem-code"


def deploy(
    aws: Aws,
    build_dir: Path,
    folder: Path,
    parameters: Mapping[str, str],
    extra_processors: Sequence[Path] = (),
) -> dict[str, str]:
    """Deploy a built application and return the stack's outputs.

    Args:
        aws: the emulator.
        build_dir: what `sam build` made.
        folder: where the packed code goes.
        parameters: values for the template's parameters.
        extra_processors: modules that join the application's own processors.

    Raises:
        ToolError: `sam deploy` failed.
    """
    template = pack(build_dir, folder / "package", extra_processors)
    aws.s3.create_bucket(Bucket=CODE_BUCKET)
    run_sam_deploy(aws, template, parameters)
    outputs = stack_outputs(aws)
    follow_latest(aws, (outputs[f"{name}Name"] for name in FUNCTIONS))
    mend_event_sources(aws, outputs["WorkerFunctionName"])
    mend_event_sources(aws, outputs["CallbackFunctionName"])
    mend_cors(aws, outputs["ApiId"], parameters.get("CorsOrigins", ""))
    return outputs


def modules_in(folder: Path) -> tuple[Path, ...]:
    """Return the modules of a folder, but for those whose names begin with `_`."""
    return tuple(sorted(path for path in folder.glob("*.py") if path.name[0] != "_"))


def pack(
    build_dir: Path,
    folder: Path,
    extra_processors: Sequence[Path] = (),
    *,
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """Zip the code once, uncompressed if not said otherwise, and return a template that names it.

    The functions share one code tree. `sam deploy` would compress it for each, which is
    most of what a deployment on one machine takes. Nothing but CodeUri differs in the template.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = folder / "code.zip"
    with zipfile.ZipFile(archive, "w", compression, strict_timestamps=False) as code:
        add_files(code, build_dir / FUNCTIONS[0])
        for path in extra_processors:
            code.write(path, Path("processors", path.name))
    built = (build_dir / "template.yaml").read_text()
    template = folder / "template.yaml"
    template.write_text(re.sub(r"(?m)^(\s+CodeUri:) \w+$", rf"\1 {archive.name}", built))
    return template


def add_files(archive: zipfile.ZipFile, root: Path, *, leave_out: Container[str] = ()) -> None:
    """Put every file of a folder into an archive, but for folders at its top that are left out."""
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        if path.is_file() and place.parts[0] not in leave_out:
            archive.write(path, place)


def run_sam_deploy(aws: Aws, template: Path, parameters: Mapping[str, str]) -> None:
    """Run `sam deploy` with the `local` environment of samconfig.toml."""
    command = [
        program(SAM_BIN / "sam"),
        "deploy",
        f"--template-file={template}",
        f"--config-file={PROJECT / 'samconfig.toml'}",
        "--config-env=local",
        f"--stack-name={STACK_NAME}",
        f"--s3-bucket={CODE_BUCKET}",
        f"--region={REGION}",
        "--no-progressbar",
        "--parameter-overrides",
        *(f"{name}={value}" for name, value in parameters.items()),
    ]
    done = subprocess.run(
        command,
        cwd=template.parent,
        env=for_sam(str(SAM_BIN), aws.endpoint_url),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        reasons = failed_resources(aws) or said[-15:]
        raise ToolError(
            "sam deploy failed:\n" + "\n".join(reasons),
            "Put right what is named here (make check finds most of it), then run it again.",
        )


def failed_resources(aws: Aws) -> list[str]:
    """Return the resources that CloudFormation could not make, each with its reason."""
    try:
        events = aws.cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
    except ClientError:  # it failed before there was a stack
        return []
    return [
        f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if event.get("ResourceStatus", "").endswith("_FAILED")
    ]


def stack_outputs(aws: Aws) -> dict[str, str]:
    """Return the outputs of the deployed stack by name."""
    stack = aws.cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def follow_latest(aws: Aws, function_names: Iterable[str]) -> None:
    """Move the aliases to $LATEST, so that a function updated in place is what requests get.

    On AWS an alias stays on the version that was published. Here code is changed while it runs.
    """
    for name in function_names:
        for alias in aws.functions.list_aliases(FunctionName=name)["Aliases"]:
            aws.functions.update_alias(
                FunctionName=name, Name=alias["Name"], FunctionVersion="$LATEST"
            )


def mend_event_sources(aws: Aws, function_name: str) -> None:
    """Say the template's concurrency again, as a number.

    MiniStack keeps a parameter's value as text here, and then its poller fails on it
    (docs/emulator.md).
    """
    found = aws.functions.list_event_source_mappings(FunctionName=function_name)
    for mapping in found["EventSourceMappings"]:
        if "ScalingConfig" in mapping:
            aws.functions.update_event_source_mapping(
                UUID=mapping["UUID"],
                ScalingConfig={
                    "MaximumConcurrency": int(mapping["ScalingConfig"]["MaximumConcurrency"]),
                },
            )


def mend_cors(aws: Aws, api_id: str, origins: str) -> None:
    """Say the template's CORS configuration again, as API Gateway's own call takes it.

    MiniStack does not understand what it keeps of CloudFormation's (docs/emulator.md).
    """
    if not origins:
        return
    api = load_template()["Resources"]["HttpApi"]["Properties"]
    _, allowing, _ = api["CorsConfiguration"]["Fn::If"]
    configuration = cast("CorsTypeDef", allowing | {"AllowOrigins": origins.split(",")})
    aws.http_apis.update_api(ApiId=api_id, CorsConfiguration=configuration)
