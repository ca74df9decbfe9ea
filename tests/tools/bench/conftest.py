"""An emulator that evaluates IAM, and a fault proxy before it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tandem_tools.bench.fault_plan import Decision, Fault, Plan
from tandem_tools.bench.fault_proxy import FaultProxy
from tandem_tools.environment import ACCESS_KEY, REGION, SECRET_KEY
from tandem_tools.ports import free_port
from tandem_tools.run.emulator import Emulator

EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


class OneFault(Plan):
    """Decides the same for each call of an operation, and lets the others pass."""

    def __init__(self, operation: str, fault: Fault, **more: Any) -> None:
        super().__init__(0)
        self._operation = operation
        self._decision = Decision(fault, **more)

    def decide(self, operation: str, number: int) -> Decision | None:
        return self._decision if operation == self._operation and number == 1 else None


@dataclass(frozen=True)
class Caller:
    """A user of the emulator: it verifies the signatures of its calls."""

    key_id: str
    secret: str

    def client(self, service: str, url: str, *, attempts: int = 1) -> Any:
        config = Config(
            signature_version="s3v4" if service == "s3" else None,
            retries={"mode": "standard", "total_max_attempts": attempts},
            read_timeout=10,
        )
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=REGION,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            config=config,
        )


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = Emulator(tmp_path_factory.mktemp("emulator"), free_port())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def caller(emulator: Emulator) -> Caller:
    iam = Caller(ACCESS_KEY, SECRET_KEY).client("iam", emulator.endpoint_url)
    iam.create_user(UserName="caller")
    iam.put_user_policy(UserName="caller", PolicyName="all", PolicyDocument=EVERYTHING)
    key = iam.create_access_key(UserName="caller")["AccessKey"]
    return Caller(key["AccessKeyId"], key["SecretAccessKey"])


@pytest.fixture
def proxy(emulator: Emulator) -> Iterator[FaultProxy]:
    with FaultProxy(emulator.port) as running:
        yield running
