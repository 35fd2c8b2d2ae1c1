"""Shell: a smooth closed surface from a model's proportions."""

from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import PchipInterpolator
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D, vtkQuadricDecimation

from clipsenet.synthetic.bodies.proportions import Line, Proportions

Array = Float[np.ndarray, "..."]

FACES = 2600
"""Triangles of half a shell, at most about; a lorry's cab has fewer."""


def build_shell(lines: Proportions) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Int[np.ndarray, "m 3"]]:
    """Points, normals and faces of the whole shell; the same lines give the same arrays.

    A body is where ``depth`` is below zero. Its left half is cut into triangles, thinned out, put back on the surface
    and mirrored; normals are the slope of ``depth``, so that shading is smooth whatever the triangles are.
    """
    points, normals, faces = _half(lines)
    mirror = np.array([1.0, -1.0, 1.0])
    return (
        np.concatenate([points, points * mirror]),
        np.concatenate([normals, normals * mirror]),
        np.concatenate([faces, faces[:, ::-1] + len(points)]),
    )


@lru_cache(maxsize=64)
def _half(lines: Proportions) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Int[np.ndarray, "m 3"]]:
    step = 0.045 if lines.length < 6 else 0.065
    axes = (
        np.arange(lines.rear - 2.37 * step, lines.front + 3 * step, step),  # no grid point lies on a plane of the body
        np.arange(0.0, lines.width / 2 + 0.1, step),
        np.arange(lines.ground - 2.37 * step, lines.height + 3 * step, step),
    )
    x, y, z = (axis.reshape(shape) for axis, shape in zip(axes, ((1, 1, -1), (1, -1, 1), (-1, 1, 1)), strict=True))
    image = vtkImageData()
    image.SetDimensions(*(len(axis) for axis in axes))
    image.SetSpacing(step, step, step)
    image.SetOrigin(*(float(axis[0]) for axis in axes))
    values = np.ascontiguousarray(depth(lines, x, y, z), dtype=np.float32)
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.0)
    contour.ComputeNormalsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    whole = contour.GetOutput()
    count = whole.GetNumberOfPolys()
    most = FACES if lines.front - lines.rear > 3 else FACES * 6 // 10
    if count > most:
        thinner = vtkQuadricDecimation()
        thinner.SetInputData(whole)
        thinner.SetTargetReduction(1 - most / count)
        thinner.Update()
        whole = thinner.GetOutput()
    points = vtk_to_numpy(whole.GetPoints().GetData()).astype(float)
    faces = vtk_to_numpy(whole.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)
    middle = points[:, 1] < 0.3 * step
    points[middle, 1] = 0.0
    for _ in range(2):
        value, slope = _slope(lines, points)
        points -= np.clip(value, -step / 3, step / 3)[:, None] * slope
        points[middle, 1] = 0.0
    normals = _slope(lines, points)[1]
    # triangles shall be counter-clockwise as seen from outside
    corners = points[faces]
    facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    size = np.linalg.norm(facing, axis=1)
    faces, facing = faces[size > 1e-9], facing[size > 1e-9]
    if float(np.einsum("mk,mk->", facing, normals[faces].mean(axis=1))) < 0:
        faces = faces[:, ::-1]
    return points, normals, faces


def _slope(lines: Proportions, points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 3"]]:
    value = depth(lines, *points.T)
    moves = 0.012 * np.concatenate([np.eye(3), -np.eye(3)])[:, None]
    ahead, behind = depth(lines, *np.moveaxis(points + moves, -1, 0)).reshape(2, 3, -1)
    slope = (ahead - behind).T
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    return value, slope


def depth(lines: Proportions, x: Array, y: Array, z: Array) -> Array:
    """About the distance to the surface, below zero inside; arrays that broadcast."""
    half = lines.width / 2
    y = np.abs(y)
    across = (y / half) ** 2
    front = x - smooth(lines.nose, z) + lines.bow[0] * across
    rear = smooth(lines.tail, z) - x + lines.bow[1] * across
    top = (z - smooth(lines.deck, x) + 0.05 * across) / np.sqrt(1 + _steepness(lines.deck, x) ** 2)
    ends = np.clip(np.maximum((x - lines.front) / 0.9 + 1, (lines.rear - x) / 0.9 + 1), 0, 1)
    taper = 1 - 0.06 * ends**2
    side = y - half * taper * smooth(lines.section, z)
    corner = np.where(x > (lines.front + lines.rear) / 2, *lines.corner)
    profile = larger(larger(front, top, lines.edge[0]), rear, lines.edge[1])
    lower = larger(profile, side, 0.07 + (corner - 0.07) * ends)
    lower = larger(lower, lines.ground - z, 0.07)

    foot = lines.screen[0][0]
    screen = (x - smooth(lines.screen, z) + lines.bow[2] * across) / np.sqrt(1 + _steepness(lines.screen, z) ** 2)
    window = (smooth(lines.window, z) - x + lines.bow[2] * across) / np.sqrt(1 + _steepness(lines.window, z) ** 2)
    roof = z - smooth(lines.roof, x) + 0.05 * across
    lean = y - half * lines.waist + lines.tumblehome * (z - foot)
    ahead = np.clip((x - lines.screen[-1][1]) / 1.2, 0, 1)
    upper = larger(larger(screen, roof, 0.14), window, 0.14)
    upper = larger(upper, lean + 0.1 * ahead**2, lines.roof_edge)
    upper = np.maximum(upper, np.maximum(foot - 0.15 - z, rear + 0.01))
    body = -larger(-lower, -upper, 0.05)

    for axle in lines.axles if lines.arch else ():
        from_axle = np.sqrt((x - axle) ** 2 + (z - lines.wheel) ** 2)
        body = np.maximum(body, -np.maximum(from_axle - lines.arch, half - 0.32 - y))
    if lines.bed is not None:
        start, end, floor = lines.bed
        hollow = larger(np.maximum(np.abs(x - (start + end) / 2) - (end - start) / 2, y - half + 0.09), floor - z, 0.04)
        body = np.maximum(body, -hollow)
    return body


def smooth(line: Line, at: Array) -> Array:
    """A smooth line through the points, level beyond its ends."""
    found: Array = _curve(line)(np.clip(at, line[0][0], line[-1][0]))
    return found


def _steepness(line: Line, at: Array) -> Array:
    found: Array = np.clip(_slope_of(line)(np.clip(at, line[0][0], line[-1][0])), -6, 6)
    return found


@lru_cache(maxsize=512)
def _curve(line: Line) -> Any:
    return PchipInterpolator(*np.array(line).T)


@lru_cache(maxsize=512)
def _slope_of(line: Line) -> Any:
    return _curve(line).derivative()


def larger(a: Array, b: Array, radius: float | Array) -> Array:
    """The larger of two, with a rounded edge where they meet."""
    blend = np.maximum(radius - np.abs(a - b), 0)
    return np.asarray(np.maximum(a, b) + blend * blend / (4 * radius))
