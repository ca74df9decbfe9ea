"""The typed client of a Tandem API."""

from tandem_client.auth import AccessToken, ClientCredentials, StaticToken
from tandem_client.client import FINAL_STATES, Tandem
from tandem_client.errors import TandemError
from tandem_client.models import RedriveRequest, State, UploadRequest
from tandem_client.submission import Submission

__all__ = [
    "FINAL_STATES",
    "AccessToken",
    "ClientCredentials",
    "RedriveRequest",
    "State",
    "StaticToken",
    "Submission",
    "Tandem",
    "TandemError",
    "UploadRequest",
]
