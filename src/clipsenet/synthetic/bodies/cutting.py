"""Cutting: triangles parted along a line on a surface."""

import numpy as np
from jaxtyping import Float, Int

Points = Float[np.ndarray, "n 3"]
Faces = Int[np.ndarray, "m 3"]
Values = Float[np.ndarray, " n"]
MorePoints = Float[np.ndarray, "more 3"]
MoreFaces = Int[np.ndarray, "parted 3"]


def cut(
    points: Points, normals: Points, faces: Faces, values: Values, near: float = 0.06
) -> tuple[MorePoints, MorePoints, MoreFaces]:
    """Part the triangles along the line where values pass through 0.

    Args:
        points: in metres.
        normals: unit, one a point; those of new points lie between their neighbours'.
        faces: rows of points.
        values: one a point.
        near: a line that passes a point at less than this share of an edge goes through it, so that no sliver is cut off.

    Returns:
        points, normals, faces, the old points first. No triangle has points on both sides of the line; whichever is farther
        from it says on which side the triangle lies.
    """
    starts, ends = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    crossing = np.sign(values[starts]) * np.sign(values[ends]) < 0
    share = np.abs(values[starts]) / np.maximum(np.abs(values[starts]) + np.abs(values[ends]), 1e-12)
    close = np.zeros(len(points), bool)
    close[starts[crossing & (share < near)]] = True
    close[ends[crossing & (share > 1 - near)]] = True
    signs = np.where(close, 0, np.sign(values)).astype(int)

    corners = signs[faces]
    whole = (corners.min(axis=1) >= 0) | (corners.max(axis=1) <= 0)
    parted, corners = faces[~whole], corners[~whole]
    if not len(parted):
        return points, normals, faces
    # turn each so that its first point is alone on its side, or lies on the line
    through = (corners == 0).any(axis=1)
    lone = corners == np.where(through, 0, -np.sign(corners.sum(axis=1)))[:, None]
    alone = lone.argmax(axis=1)
    order = (alone[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(parted, order, axis=1).T
    # edges that are cut: ab and ca of those with a lone point, bc of those through a point
    one, other = np.where(through, b, a), np.where(through, c, b)
    edges = np.concatenate([np.stack([one, other], axis=1), np.stack([a, c], axis=1)[~through]])
    edges.sort(axis=1)
    unique, place = np.unique(edges, axis=0, return_inverse=True)
    place = place.reshape(-1) + len(points)
    start, end = unique.T
    at = (np.abs(values[start]) / (np.abs(values[start]) + np.abs(values[end])))[:, None]
    new_points = points[start] + at * (points[end] - points[start])
    new_normals = normals[start] + at * (normals[end] - normals[start])
    new_normals /= np.maximum(np.linalg.norm(new_normals, axis=1, keepdims=True), 1e-9)

    first = place[: len(parted)]
    second = np.zeros(len(parted), place.dtype)
    second[~through] = place[len(parted) :]
    p, q = through, ~through
    pieces = [
        np.stack([a[p], b[p], first[p]], axis=1),
        np.stack([a[p], first[p], c[p]], axis=1),
        np.stack([a[q], first[q], second[q]], axis=1),
        np.stack([first[q], b[q], c[q]], axis=1),
        np.stack([first[q], c[q], second[q]], axis=1),
    ]
    return (
        np.concatenate([points, new_points]),
        np.concatenate([normals, new_normals]),
        np.concatenate([faces[whole], *pieces]),
    )


def side_of(faces: Faces, values: Values) -> Int[np.ndarray, " m"]:
    """1 or -1: on which side of the line each triangle lies, by its point that is farthest from it."""
    corners = values[faces]
    farthest = np.abs(corners).argmax(axis=1)
    return np.where(np.take_along_axis(corners, farthest[:, None], axis=1)[:, 0] > 0, 1, -1)
