"""The local stack as one thing: started whole, described in a file, stopped whole."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tandem_tools.build.sam import machine_architecture
from tandem_tools.environment import REGION
from tandem_tools.paths import BUILD, STACK_FILE
from tandem_tools.ports import LOOPBACK, free_port
from tandem_tools.run.authority import AUTHORITY, make_authority
from tandem_tools.run.aws import Aws
from tandem_tools.run.deployment import deploy
from tandem_tools.run.emulator import Emulator
from tandem_tools.run.proxy import Proxy
from tandem_tools.run.scratch import remove_scratch
from tandem_tools.run.tokens import request_token
from tandem_tools.settings.local import put

LOCAL_PARAMETERS = {
    "Environment": "local",
    "Emulated": "true",
    "RequireTls": "false",  # the emulator speaks plain HTTP
    "DeploymentType": "Direct",  # it has no CodeDeploy
    "SettingsMaxAgeSeconds": "1",  # what is saved in .env is used at once
}
OF_THIS_MACHINE = LOCAL_PARAMETERS.keys() | {
    "Architecture",
    "CallbackAllowedNetworks",
    "ConsoleUrl",
    "JwtAudience",
    "JwtIssuer",
    "OAuthUrl",
    "Revision",
}
"""The template's parameters that a stack on one machine has by itself."""


@dataclass(frozen=True)
class StackDescription:
    """What tools need to attach to a running stack. The content of stack.json.

    Token, token URL and clients are empty where the stack takes another issuer's tokens.
    """

    url: str
    endpoint_url: str
    region: str
    queue_url: str
    dead_letter_queue_url: str
    table: str
    bucket: str
    functions: dict[str, str]
    log_groups: dict[str, str]
    pids: dict[str, int]
    token: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    operator_client_id: str = ""
    operator_client_secret: str = ""
    settings_secret: str = ""

    def write(self, path: Path) -> None:
        """Write the description where only this user reads it: it holds secrets."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the description of a running stack."""
        return cls(**json.loads(path.read_text()))


class LocalStack:
    """Emulator, deployment and proxy, for as long as the `with` block runs.

    Example:
        with LocalStack(tmp_path) as stack:
            urllib.request.urlopen(f"{stack.description.url}/health")
    """

    def __init__(
        self,
        folder: Path,
        *,
        build_dir: Path = BUILD,
        extra_processors: Sequence[Path] = (),
        port: int = 0,
        stack_port: int = 0,
        parameters: Mapping[str, str] | None = None,
        functions_endpoint_url: str = "",
        settings: Mapping[str, str] | None = None,
        listens: bool = False,
    ) -> None:
        """Prepare a stack. Nothing runs until the block is entered.

        Args:
            folder: where its state and logs go.
            build_dir: what `sam build` made.
            extra_processors: modules that join the application's own processors.
            port: of the API. 0 takes a free one.
            stack_port: of the emulator. 0 takes a free one.
            parameters: values for the template's parameters.
            functions_endpoint_url: where functions call AWS. By default the emulator itself.
            settings: those of processors, by name.
            listens: whether callbacks may go to receivers on this machine (`tandem listen`).
        """
        self._folder = folder
        self._build_dir = build_dir
        self._extra_processors = extra_processors
        self._port = port
        self._settings = dict(settings or {})
        self._listens = listens
        self._parameters = (
            LOCAL_PARAMETERS
            | {"Architecture": machine_architecture()}
            | ({"CallbackAllowedNetworks": f"{LOOPBACK}/32"} if listens else {})
            | dict(parameters or {})
        )
        self._emulator = Emulator(
            folder, stack_port or free_port(), functions_endpoint_url=functions_endpoint_url
        )
        self._proxy: Proxy | None = None
        self.log_file = self._emulator.log_file
        self.aws = Aws(self._emulator.endpoint_url)
        self.description: StackDescription

    def __enter__(self) -> Self:
        """Start everything. On a failure, stop what had started."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything."""
        self.stop()

    def stop(self) -> None:
        """Stop the proxy and the emulator, and remove what they left."""
        if self._proxy is not None:
            self._proxy.stop()
        self._emulator.stop()
        remove_traces(self._folder)

    def _start(self) -> None:
        self._emulator.start()
        port = self._port or free_port()
        outputs = deploy(
            self.aws,
            self._build_dir,
            self._folder,
            self._parameters | self._addresses(port),
            self._extra_processors,
        )
        if self._listens:
            self._trust(outputs["CallbackFunctionName"], make_authority(self._folder / AUTHORITY))
        if self._settings:
            put(self.aws, outputs["ProcessorSettingsName"], self._settings)
        self._proxy = Proxy(port, self._emulator.port, outputs["ApiId"])
        self._proxy.start()
        self.description = self._describe(outputs, self._proxy.url)
        self.description.write(self._folder / STACK_FILE.name)

    def _trust(self, function: str, authorities: Path) -> None:
        """Have a function trust the authorities in a file, and no others."""
        found = self.aws.functions.get_function_configuration(FunctionName=function)
        variables = found["Environment"]["Variables"] | {"SSL_CERT_FILE": str(authorities)}
        self.aws.functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": variables}
        )

    def _addresses(self, port: int) -> dict[str, str]:
        """Return where this machine has what on AWS has host names."""
        return {
            "OAuthUrl": f"{self._emulator.endpoint_url}/oauth2",
            "ConsoleUrl": f"http://{LOOPBACK}:{port}",
        }

    def _describe(self, outputs: Mapping[str, str], url: str) -> StackDescription:
        functions = {
            "api": outputs["ApiFunctionName"],
            "worker": outputs["WorkerFunctionName"],
            "callback": outputs["CallbackFunctionName"],
            "report": outputs["ReportFunctionName"],
            "canary": outputs["CanaryFunctionName"],
        }
        return StackDescription(
            url=url,
            endpoint_url=self._emulator.endpoint_url,
            region=REGION,
            queue_url=outputs["QueueUrl"],
            dead_letter_queue_url=outputs["DeadLetterQueueUrl"],
            table=outputs["TableName"],
            bucket=outputs["BucketName"],
            functions=functions,
            log_groups={
                name: self._log_group(function_name) for name, function_name in functions.items()
            },
            settings_secret=outputs["ProcessorSettingsName"],
            pids={"run": os.getpid(), "emulator": self._emulator.pid},
            **(self._own_clients(outputs) if "UserPoolId" in outputs else {}),
        )

    def _own_clients(self, outputs: Mapping[str, str]) -> dict[str, str]:
        """Return how to get tokens from the user pool that the template made, and one of them."""
        token_url = f"{self._emulator.endpoint_url}/oauth2/token"
        pool, machine = outputs["UserPoolId"], outputs["MachineClientId"]
        machine_secret = self._client_secret(pool, machine)
        return {
            "token": request_token(token_url, machine, machine_secret).value,
            "token_url": token_url,
            "client_id": machine,
            "client_secret": machine_secret,
            "operator_client_id": outputs["OperatorClientId"],
            "operator_client_secret": self._client_secret(pool, outputs["OperatorClientId"]),
        }

    def _client_secret(self, pool: str, client: str) -> str:
        found = self.aws.cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client)
        return found["UserPoolClient"]["ClientSecret"]

    def _log_group(self, function_name: str) -> str:
        found = self.aws.functions.get_function_configuration(FunctionName=function_name)
        return found["LoggingConfig"]["LogGroup"]


def remove_traces(folder: Path) -> None:
    """Remove what a stack leaves in its folder, but for the emulator's log."""
    (folder / STACK_FILE.name).unlink(missing_ok=True)
    remove_scratch(folder)
    for left in ("package", "reload", AUTHORITY):
        shutil.rmtree(folder / left, ignore_errors=True)
