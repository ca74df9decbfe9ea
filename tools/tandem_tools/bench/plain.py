"""The application as a plain `sam build` leaves it, with none of what keeps its start short."""

import shutil
import subprocess
import sys
from pathlib import Path

from tandem_tools.paths import APP_BIN, program

TRACER = ("aws-xray-sdk==2.14.0", "wrapt==1.17.3")
"""What Powertools' Tracer needs. The artifact has none of it."""

HANDLER = '''\
"""What tutorials write: clients, a Tracer and every route made at import."""

import boto3
import pydantic.v1  # which FastAPI imports for each field
from aws_lambda_powertools import Logger, Metrics, Tracer

from tandem.http.app import create_app
from tandem.http.lambda_handler import LambdaHandler
from tandem.settings import settings
from tandem.aws.wiring import Wiring

tracer = Tracer()
metrics = Metrics()
dynamodb, sqs, s3 = (boto3.client(name) for name in ("dynamodb", "sqs", "s3"))
app = create_app(Wiring(settings()))
app.state.resources.load()
handler = LambdaHandler(app)
'''


def make_plain(bare: Path, folder: Path) -> None:
    """Make a copy of an artifact without `.pyc` files that starts as most applications do.

    It is as small as the artifact is: what the build leaves out of botocore stays out, so a real
    `sam build` would be slower still.
    """
    shutil.copytree(bare, folder)
    (folder / "plain.py").write_text(HANDLER)
    subprocess.run(
        [
            program(APP_BIN / "uv"),
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            f"--python={sys.executable}",
            f"--target={folder}",
            *TRACER,
        ],
        check=True,
    )
