from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from processors.thumbnail import Input, thumbnail
from tandem.processing import Permanent, Upload
from tandem.testing import FakeContext
from tandem_client import StaticToken, Tandem
from tandem_tools.run.stack import StackDescription


def picture() -> bytes:
    made = BytesIO()
    Image.new("RGB", (400, 200), "red").save(made, "jpeg")
    return made.getvalue()


def size_of(content: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(content)) as image:
        return image.size


def test_a_picture_is_made_small() -> None:
    context = FakeContext(uploads={"u": ("red.jpg", picture())})
    saved = thumbnail.run(Input(picture=Upload("u"), pixels=100), context)
    assert (saved.name, saved.content_type) == ("thumbnail.png", "image/png")
    assert size_of(context.saved["thumbnail.png"]) == (100, 50)


def test_a_text_is_no_picture() -> None:
    with pytest.raises(Permanent, match="no picture"):
        thumbnail.run(Input(picture=Upload("u")), FakeContext(uploads={"u": ("a.txt", b"red")}))


@pytest.mark.stack
def test_it_is_made_small_in_the_stack(stack: StackDescription, tmp_path: Path) -> None:
    (tmp_path / "red.jpg").write_bytes(picture())
    with Tandem(stack.url, StaticToken(stack.token)) as tandem:
        upload = tandem.upload(tmp_path / "red.jpg", processor="thumbnail")
        task = tandem.submit("thumbnail", {"picture": upload, "pixels": 100})
        tandem.wait_for(task.task_id, timeout=60)
        tandem.download(task.task_id, tmp_path / "small.png")
    assert size_of((tmp_path / "small.png").read_bytes()) == (100, 50)
