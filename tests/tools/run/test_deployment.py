"""The code is packed once for all functions, and the template changes in nothing else."""

import zipfile
from pathlib import Path

from tandem_tools.build.sam import FUNCTIONS
from tandem_tools.run.deployment import pack

TEMPLATE = """\
Resources:
  ApiFunction:
    Properties:
      CodeUri: ApiFunction
      Handler: tandem.handlers.api.handler
  WorkerFunction:
    Properties:
      CodeUri: WorkerFunction
      Handler: tandem.handlers.worker.handler
"""


def built(folder: Path) -> Path:
    for name in FUNCTIONS:
        (folder / name / "processors").mkdir(parents=True)
        (folder / name / "processors" / "echo.py").write_text("echo")
    (folder / "template.yaml").write_text(TEMPLATE)
    return folder


def test_only_the_place_of_the_code_changes(tmp_path: Path) -> None:
    template = pack(built(tmp_path / "build"), tmp_path / "package")
    lines = zip(TEMPLATE.splitlines(), template.read_text().splitlines(), strict=True)
    changed = {after.strip() for before, after in lines if before != after}
    assert changed == {"CodeUri: code.zip"}


def test_extra_processors_join_the_applications_own(tmp_path: Path) -> None:
    extra = tmp_path / "poison.py"
    extra.write_text("poison")
    template = pack(built(tmp_path / "build"), tmp_path / "package", [extra])
    with zipfile.ZipFile(template.with_name("code.zip")) as code:
        assert sorted(code.namelist()) == ["processors/echo.py", "processors/poison.py"]
        assert code.read("processors/poison.py") == b"poison"
    assert not (tmp_path / "build" / FUNCTIONS[0] / "processors" / "poison.py").exists()
