"""The errors of AWS as whoever runs a command should read them."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from tandem_tools.errors import ToolError

_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.SSOError,
    boto.TokenRetrievalError,
)
_BAD_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "NotSignedUp",
        "OptInRequired",
        "UnrecognizedClientException",
    }
)
_SIGNATURES = frozenset({"InvalidSignatureException", "SignatureDoesNotMatch"})
_LATE = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)
_UNREACHED = (boto.ConnectionError, boto.HTTPClientError)
_BUSY = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

SIGN_IN = "Sign in (aws configure, aws sso login), or name a profile: AWS_PROFILE=…"
CHOOSE = "Choose a region: export AWS_DEFAULT_REGION=eu-central-1"


def told(error: BotoCoreError | ClientError) -> ToolError:
    """Return an error of the SDK with what gets past it."""
    if isinstance(error, ClientError):
        return _refused(error)
    if isinstance(error, boto.NoRegionError):
        return ToolError("No region is chosen.", CHOOSE)
    if isinstance(error, boto.InvalidRegionError):
        return ToolError(f"There is no such region: {error}", CHOOSE)
    if isinstance(error, _NO_CREDENTIALS):
        return ToolError(f"There are no credentials that AWS takes: {error}", SIGN_IN)
    if isinstance(error, _UNREACHED):
        return ToolError(
            f"AWS was not reached: {error}",
            f"Look at your network, and whether there is such a region. {CHOOSE}",
        )
    return ToolError(f"AWS: {error}", "Run it again; if that does not help, look at what it names.")


def _refused(error: ClientError) -> ToolError:
    """Return an answer of AWS that is an error with what gets past it."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _LATE or (code in _SIGNATURES and "ignature expired" in str(error)):
        return ToolError(f"AWS: {error}", "The clock of this machine is wrong: set it.")
    if code in _SIGNATURES or code in _BAD_CREDENTIALS:
        return ToolError(
            f"There are no credentials that AWS takes: {error}",
            f"{SIGN_IN}. A region that is not enabled for the account refuses all.",
        )
    if code in _DENIED:
        return ToolError(
            f"AWS: {error}",
            "These credentials may not do it: have them allowed, or take others (AWS_PROFILE=…).",
        )
    if code in _BUSY or status >= 500:
        return ToolError(f"AWS: {error}", "AWS is busy or has a fault: run it again in a minute.")
    return ToolError(f"AWS: {error}", "Put right what it names, then run it again.")


@contextmanager
def cut_short(then: str) -> Iterator[None]:
    """Say with whatever ends the block early, Ctrl-C too, how things stand and how to go on.

    Args:
        then: it. Shown below the error.
    """
    try:
        yield
    except BaseException as error:
        error.add_note(then)
        raise
