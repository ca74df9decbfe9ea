"""The functions of the built artifact, each in its own role."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tandem.lambda_events import http_event
from tandem_tools.harness.stack import EXTRA_PROCESSORS
from tests.stack.ground import HEADERS, Ground, Json
from tests.stack.runtime import FunctionRuntime

SCOPES = ("tasks:read", "tasks:write", "reports:read", "admin")
ENVIRONMENT = {
    "CALLBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
    "CALLBACK_RETRY_SECONDS": "1",
    "OTLP_HEADERS_SECRET": HEADERS,
    # What a function has read once it would not have to be allowed to read again.
    "POWERTOOLS_PARAMETERS_MAX_AGE": "0",
}


class Scene(Ground):
    """What scenarios act on; a function starts when it is first invoked."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._running: dict[str, FunctionRuntime] = {}
        self._logged: dict[str, int] = {}

    def clear(self) -> None:
        """Empty the table and the queues, and turn to a new page of the logs."""
        super().clear()
        self._logged = {name: len(one.log) for name, one in self._running.items()}

    def api(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """Return the document that a request of an operator is answered with."""
        answer = self.answer(method, path, body)
        assert answer["statusCode"] == status, answer
        return json.loads(answer.get("body") or "null")

    def answer(self, method: str, path: str, body: Any = None) -> Json:
        """Return the whole answer to a request of an operator."""
        path, _, query = path.partition("?")
        event = http_event(method, path, body, scopes=SCOPES, query=query)
        answer: Json = self.invoke("ApiFunction", event)
        return answer

    def worker(self, *messages: Json) -> Json:
        """Return the worker's answer to a batch of messages."""
        answer: Json = self.invoke("WorkerFunction", {"Records": list(messages)})
        return answer

    def callback(self, *messages: Json) -> Json:
        """Return the answer of what sends callbacks to a batch of messages."""
        answer: Json = self.invoke("CallbackFunction", {"Records": list(messages)})
        return answer

    def tick(self) -> Json:
        """Return what a run of the report did."""
        answer: Json = self.invoke("ReportFunction", {"source": "aws.events"})
        return answer

    def invoke(self, name: str, event: Json) -> Any:
        """Invoke a function, in its role."""
        if name not in self._running:
            self._running[name] = self.stack.enter_context(self._runtime(name))
        return self._running[name].invoke(event)

    def logged(self) -> str:
        """Return what all functions have logged since the scene was cleared."""
        return "\n".join(
            one.log[self._logged.get(name, 0) :] for name, one in self._running.items()
        )

    def _runtime(self, name: str) -> FunctionRuntime:
        function = self.resources.function(name)
        role = self.roles.credentials(name.replace("Function", "Role"))
        environment = {**function.environment, **ENVIRONMENT, **role}
        scratch = self.folder / name
        scratch.mkdir()
        changed = replace(
            function,
            folder=with_processors(function.folder, self.folder / f"{name}-artifact"),
            environment=environment,
        )
        return FunctionRuntime(changed, scratch)


def with_processors(built: Path, folder: Path) -> Path:
    """Return a folder that has a built artifact with the processors of the tests in it."""
    folder.mkdir()
    for path in built.iterdir():
        if path.name != "processors":
            (folder / path.name).symlink_to(path)
    (folder / "processors").mkdir()
    own = [path for path in (built / "processors").iterdir() if path.stem != "__pycache__"]
    for path in [*own, *EXTRA_PROCESSORS]:
        (folder / "processors" / path.name).symlink_to(path)
    return folder
