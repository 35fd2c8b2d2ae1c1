"""Mesh reading: the program that reads one mesh with VTK and writes its pieces as arrays; mesh_files runs it."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

LIMIT = 20_000
"""Triangles of a mesh above which it is made coarser."""
TEXTURE = 1024
"""Pixels of a texture's longer side, at most."""


def _load(path: Path) -> list[tuple[Any, Any]]:
    """(VTK's triangles in the scene's axes, actor or none) of each material."""
    from vtkmodules.vtkCommonTransforms import vtkTransform
    from vtkmodules.vtkFiltersGeneral import vtkTransformPolyDataFilter

    if path.suffix.lower() == ".ply":
        from vtkmodules.vtkIOPLY import vtkPLYReader

        reader = vtkPLYReader()
        reader.SetFileName(str(path))
        reader.Update()
        return [(reader.GetOutput(), None)]
    import vtkmodules.vtkRenderingOpenGL2
    from vtkmodules.vtkIOImport import vtkGLTFImporter, vtkOBJImporter
    from vtkmodules.vtkRenderingCore import vtkRenderWindow

    assert vtkmodules.vtkRenderingOpenGL2
    importer: Any
    if path.suffix.lower() == ".obj":
        _check_corners(path)
        importer = vtkOBJImporter()
        material = _material_file(path)
        if material is not None:
            importer.SetFileNameMTL(str(material))
            importer.SetTexturePath(str(path.parent))
    else:
        importer = vtkGLTFImporter()
    importer.SetRenderWindow(vtkRenderWindow())  # never opened: importers want one to put their actors in
    importer.SetFileName(str(path))
    if not importer.Update():
        raise ValueError("it cannot be read")
    actors = importer.GetRenderer().GetActors()
    actors.InitTraversal()
    found = []
    for _ in range(actors.GetNumberOfItems()):
        actor = actors.GetNextActor()
        actor.GetMapper().Update()
        place = vtkTransform()
        place.SetMatrix(actor.GetMatrix())
        if actor.GetUserMatrix() is not None:
            place.Concatenate(actor.GetUserMatrix())
        mover = vtkTransformPolyDataFilter()
        mover.SetTransform(place)
        mover.SetInputData(actor.GetMapper().GetInput())
        mover.Update()
        found.append((mover.GetOutput(), actor))
    return found


def _check_corners(path: Path) -> None:
    """VTK believes an OBJ's faces: a corner that is not there reads whatever lies in memory."""
    counts, most = {"v": 0, "vt": 0, "vn": 0}, {"v": 0, "vt": 0, "vn": 0}
    with path.open(errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            kind, *words = line.split() or [""]
            if kind in counts:
                counts[kind] += 1
            elif kind == "f":
                for word in words:
                    for name, text in zip(counts, word.split("/"), strict=False):
                        place = int(text) if text else 1
                        if place == 0 or -place > counts[name]:
                            raise ValueError(f"line {number}: {word} is no corner")
                        most[name] = max(most[name], place if text else 0)
    for name, highest in most.items():
        if highest > counts[name]:
            raise ValueError(f"a face asks for {name} {highest}, but there are {counts[name]}")


def _material_file(path: Path) -> Path | None:
    """The file of materials that an OBJ names, where it is there."""
    with path.open(errors="replace") as lines:
        for line, _ in zip(lines, range(1000), strict=False):
            if line.startswith("mtllib "):
                named = path.parent / line.removeprefix("mtllib ").strip()
                return named if named.is_file() else None
    return None


def _texture(actor: Any) -> UInt8[np.ndarray, "height width 3"]:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    none = np.zeros((0, 0, 3), np.uint8)
    if actor is None:
        return none
    texture = actor.GetTexture() or actor.GetProperty().GetTexture("albedoTex")
    if texture is None:
        return none
    if texture.GetInput() is None and texture.GetInputAlgorithm() is not None:
        texture.GetInputAlgorithm().Update()
    image = texture.GetInput()
    if image is None or image.GetPointData().GetScalars() is None:
        return none
    wide, high, _ = image.GetDimensions()
    pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(high, wide, -1)[::-1]
    pixels = np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[..., :3]
    picture = Image.fromarray(np.ascontiguousarray(pixels).astype(np.uint8))
    picture.thumbnail((TEXTURE, TEXTURE))
    return np.asarray(picture)


def _triangles(data: Any, share: float, textured: bool) -> Any:
    """Triangles alone, coarser where ``share`` of them is enough, with normals that break at edges."""
    from vtkmodules.vtkFiltersCore import vtkCleanPolyData, vtkPolyDataNormals, vtkQuadricDecimation, vtkTriangleFilter

    step: Any = vtkTriangleFilter()
    step.PassVertsOff()
    step.PassLinesOff()
    step.SetInputData(data)
    if not textured:  # corners that only normals part are one: nothing else ties the surface together
        whole = vtkCleanPolyData()
        whole.SetInputConnection(step.GetOutputPort())
        step = whole
    if share < 1:
        coarser = vtkQuadricDecimation()
        coarser.SetTargetReduction(1 - share)
        coarser.SetAttributeErrorMetric(textured)
        coarser.SetTCoordsAttribute(textured)
        coarser.SetInputConnection(step.GetOutputPort())
        step = coarser
    normals = vtkPolyDataNormals()
    normals.SetFeatureAngle(38)
    normals.SetInputConnection(step.GetOutputPort())
    normals.Update()
    return normals.GetOutput()


def _main(path: Path, kept: Path) -> None:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    loaded = [
        (data, actor)
        for data, actor in _load(path)
        if data is not None and data.GetNumberOfPolys() + data.GetNumberOfStrips() > 0
    ]
    total = sum(int(data.GetNumberOfPolys()) for data, _ in loaded)
    arrays: dict[str, Any] = {}
    count = 0
    for data, actor in loaded:
        texture = _texture(actor)
        textured = texture.size > 0 and data.GetPointData().GetTCoords() is not None
        shape = _triangles(data, min(1.0, LIMIT / max(total, 1)), textured)
        if shape.GetNumberOfPolys() == 0:
            continue
        points = vtk_to_numpy(shape.GetPoints().GetData()).astype(np.float64)
        if not np.isfinite(points).all():
            raise ValueError("its points are not finite numbers")
        arrays[f"points{count}"] = points
        arrays[f"normals{count}"] = vtk_to_numpy(shape.GetPointData().GetNormals()).astype(np.float64)
        arrays[f"faces{count}"] = vtk_to_numpy(shape.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int64)
        places = vtk_to_numpy(shape.GetPointData().GetTCoords())[:, :2] if textured else np.zeros((len(points), 2))
        if path.suffix.lower() in (".glb", ".gltf"):  # whose v runs downwards
            places = np.stack([places[:, 0], 1 - places[:, 1]], axis=1)
        arrays[f"uv{count}"] = places.astype(np.float64)
        look = (
            (1.0, 1.0, 1.0, 1.0)
            if actor is None
            else (*actor.GetProperty().GetDiffuseColor(), actor.GetProperty().GetOpacity())
        )
        arrays[f"material{count}"] = np.array(look, np.float64)
        arrays[f"texture{count}"] = texture if textured else np.zeros((0, 0, 3), np.uint8)
        count += 1
    if count == 0:
        raise ValueError("no triangles in it")
    np.savez(kept, count=np.array(count), **arrays)


if __name__ == "__main__":
    try:
        _main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (ValueError, OSError) as problem:
        sys.stderr.write(f"! {problem}\n")
        raise SystemExit(1) from None
