"""The report's pictures: each test picture that the page shows, once, small, and blurred unless asked otherwise."""

from pathlib import Path

from PIL import Image

from clipsenet.covering import plate_boxes
from clipsenet.figures.small_pictures import small
from clipsenet.sightings import Sightings


class Tiles:
    """Writes small pictures into a folder when they are first asked for.

    Args:
        test: the pictures.
        folder: where the page lies; the files go to ``pictures`` in it.
        blurred: whether the lower middle and known plates are blurred.
    """

    def __init__(self, test: Sightings, folder: Path, blurred: bool) -> None:
        self.test, self.folder, self.blurred = test, folder, blurred
        self.plates = plate_boxes(test)
        self.written: dict[int, str] = {}

    def small(self, row: int) -> Image.Image:
        """The small picture of a test row.

        Raises:
            PictureError: it cannot be opened.
        """
        return small(self.test, row, blurred=self.blurred, plate=self.plates[row])

    def file(self, row: int) -> str:
        """Where the page finds the picture of a test row: written now, if it was not yet.

        Raises:
            PictureError: it cannot be opened.
        """
        if row not in self.written:
            name = f"pictures/{len(self.written) + 1:04d}.jpg"
            (self.folder / "pictures").mkdir(exist_ok=True)
            tile = self.small(row)
            tile.info.clear()  # a camera's comment would go along
            tile.save(self.folder / name, "JPEG", quality=85)
            self.written[row] = name
        return self.written[row]
