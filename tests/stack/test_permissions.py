"""No role may do more than it must: each permission is taken away in turn, and something breaks."""

import re
from collections.abc import Iterator

import pytest

from tandem_tools.build import sam as artifact
from tests.stack.permissions import Permission
from tests.stack.proofs import SCENARIOS, UNPROVED
from tests.stack.runtime import InvocationFailed
from tests.stack.scene import Scene

DENIED = re.compile(
    r"AccessDenied|AuthorizationError|role may not read|\(403\)|\"error_code\": ?\"403\""
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    artifact.build(artifact.machine_architecture())
    with Scene(tmp_path_factory.mktemp("scene")) as made:
        yield made


def test_every_permission_of_the_roles_is_proved_or_says_why_not(scene: Scene) -> None:
    allowed = scene.roles.permissions()
    assert len(allowed) == len(set(allowed)), "one is given twice: neither is needed"
    assert not SCENARIOS.keys() & UNPROVED.keys()
    assert {*allowed} == SCENARIOS.keys() | UNPROVED.keys()


@pytest.mark.parametrize("permission", SCENARIOS, ids=str)
def test_without_the_permission_it_breaks_and_with_it_it_goes_well(
    scene: Scene, permission: Permission
) -> None:
    scenario = SCENARIOS[permission]
    scene.clear()
    with (
        scene.roles.without(permission),
        pytest.raises((AssertionError, InvocationFailed)) as broken,
    ):
        scenario(scene)
    said = f"{broken.value}\n{scene.logged()}"
    assert DENIED.search(said), f"it broke for another reason:\n{said}"
    scene.clear()
    scenario(scene)
