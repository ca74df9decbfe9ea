"""The settings that processors declare."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem_tools.catalogue import last_words, run_with_processors
from tandem_tools.errors import ToolError
from tandem_tools.paths import PROJECT

FUNCTIONS = PROJECT / "functions"
_MARK = "tandem-settings:"
_PROGRAM = f"""
import json, sys
from tandem.processing.catalogue import installed
from tandem.processing.settings import make, names_of, read_texts
texts = read_texts(sys.stdin.read())
declared, faults = {{}}, {{}}
for name, processor in installed().items():
    if processor.settings is not None:
        fields = processor.settings.model_fields
        names = names_of(processor.settings)
        declared[name] = {{names[one]: fields[one].is_required() for one in fields}}
        made = make(processor.settings, texts)
        faults[name] = made if isinstance(made, list) else []
print("\\n{_MARK}" + json.dumps([declared, faults]))
"""
"""Prints names and faults, and no value, after whatever the processors print at their import."""


class CannotImport(ToolError):
    """The processors cannot be imported here."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The settings of the catalogue's processors."""

    names: Mapping[str, Mapping[str, bool]]
    """For each processor its settings, and whether it needs each."""
    faults: Mapping[str, list[str]]
    """For each processor what is missing or wrong of what was given."""

    def lines(self) -> list[str]:
        """Return a line for each processor that has not what it needs."""
        return [f"  {name}: {'; '.join(wrong)}" for name, wrong in self.faults.items() if wrong]

    def users(self, setting: str) -> list[str]:
        """Return the processors that a setting is for."""
        return [name for name, settings in self.names.items() if setting in settings]


def declared(body: Mapping[str, Any]) -> Declared:
    """Return what the processors declare, and what is missing or wrong of a secret's body.

    Raises:
        CannotImport: a processor cannot be imported.
    """
    done = run_with_processors(_PROGRAM, functions=FUNCTIONS, given=json.dumps(dict(body)))
    answer = next((line for line in done.stdout.splitlines() if line.startswith(_MARK)), None)
    if done.returncode or answer is None:
        raise CannotImport(
            f"The processors cannot be imported: {last_words(done)}",
            "Put that right; make run says where.",
        )
    names, faults = json.loads(answer.removeprefix(_MARK))
    return Declared(names, faults)
