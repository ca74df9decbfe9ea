"""Pictures, made small."""

from io import BytesIO

from pydantic import BaseModel, Field

from tandem.processing import Permanent, SavedFile, TaskContext, Upload, processor


class Input(BaseModel):
    picture: Upload
    pixels: int = Field(default=128, ge=16, le=1024)


@processor("thumbnail", upload_mib=20)
def thumbnail(data: Input, ctx: TaskContext) -> SavedFile:
    """Make a picture small, as a PNG."""
    from PIL import Image, UnidentifiedImageError

    made = BytesIO()
    with ctx.open_upload(data.picture) as stream:
        try:
            with Image.open(stream) as image:
                image.thumbnail((data.pixels, data.pixels))
                image.save(made, "png")
        except UnidentifiedImageError:
            raise Permanent("this is no picture") from None
    return ctx.save_file("thumbnail.png", made.getvalue(), content_type="image/png")
