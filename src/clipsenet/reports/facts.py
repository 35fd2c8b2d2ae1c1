"""What can be said of one query: who came first, where its first match stands, and what the two pictures have in common."""

from typing import Any

from clipsenet.auditing import brightness
from clipsenet.confusion import known_lookalikes
from clipsenet.figures.looking import Look
from clipsenet.figures.rank_lists import Query
from clipsenet.images import open_sighting
from clipsenet.queries import pictures_of
from clipsenet.sightings import Sightings

COMPARED = ("type", "colour", "color", "model", "view")
"""Columns that are compared between a query and the wrong answer, where the list has them."""

Values = dict[str, Any]


class Facts:
    """Tells of queries.

    Args:
        look: the run on its test.
    """

    def __init__(self, look: Look) -> None:
        self.look = look
        self.names = pictures_of(look.found.test)
        self.alike = known_lookalikes(look.found.test)
        self.vehicle, self.camera = look.found.test.vehicle.texts(), look.found.test.camera.texts()

    def of(self, query: Query, first: int) -> Values:
        """One query, as plain values.

        Args:
            query: which.
            first: how many answers are listed.

        Returns:
            ``picture``, ``row``, ``vehicle``, ``camera``, ``size`` (width and height in pixels), ``brightness`` (mean luma, 0
            to 255), ``ap``, ``place`` of the first match from 1 and ``candidates``, ``camera_pair`` of the two, ``answers``:
            ``row``, ``right``, ``camera``, ``similarity`` of the first ones; ``wrong``: the first answer where it is another
            vehicle, with ``same`` (column to whether both have its value) and ``lookalike`` (whether the list says so).

        Raises:
            PictureError: a picture that cannot be opened.
        """
        test, result = self.look.found.test, self.look.found.results[query.trial]
        trial, ranking = result.trial, result.ranking
        row = int(trial.query[query.number])
        kept = ranking.top[query.number] >= 0
        rows = trial.gallery[ranking.top[query.number][kept]][:first]
        similarity = ranking.top_similarity[query.number][kept][:first]
        match = int(trial.gallery[ranking.matched[query.number][0]])
        values: Values = {
            **self._picture(row),
            "trial": trial.name,
            "ap": float(result.per_query["mAP"][query.number]),
            "place": int(ranking.places[query.number][0]) + 1,
            "candidates": int(ranking.candidates[query.number]),
            "camera_pair": [str(self.camera[row]), str(self.camera[match])],
            "match_row": match,
            "answers": [
                {
                    "row": int(one),
                    "right": bool(test.vehicle.numbers[one] == test.vehicle.numbers[row]),
                    "camera": str(self.camera[one]),
                    "similarity": float(value),
                }
                for one, value in zip(rows, similarity, strict=True)
            ],
            "wrong": None,
        }
        if values["place"] > 1:
            values["wrong"] = self._wrong(row, int(rows[0]), float(similarity[0]))
        return values

    def _wrong(self, row: int, answer: int, similarity: float) -> Values:
        told = self._picture(answer)
        vehicle = str(self.vehicle[row])
        return {
            **told,
            "similarity": similarity,
            "same": _same(self.look.found.test, row, answer),
            "lookalike": told["vehicle"] in self.alike.get(vehicle, ()) if self.alike else None,
        }

    def _picture(self, row: int) -> Values:
        picture = open_sighting(self.look.found.test, row)
        return {
            "row": row,
            "picture": str(self.names[row]),
            "vehicle": str(self.vehicle[row]),
            "camera": str(self.camera[row]),
            "size": list(picture.size),
            "brightness": brightness(picture),
        }


def _same(test: Sightings, row: int, other: int) -> dict[str, bool]:
    """Column to whether two pictures have the same value there; a column where either has none is left out."""
    found = {}
    for name in COMPARED:
        texts = test.view.texts() if name == "view" else test.extra[name].texts() if name in test.extra else None
        if texts is not None and texts[row] and texts[other]:
            found[name] = bool(texts[row] == texts[other])
    return found
