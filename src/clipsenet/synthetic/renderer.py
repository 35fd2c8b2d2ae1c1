"""Renderer: triangles with skins to pictures, through VTK without a display."""

import importlib
import importlib.resources
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkFloatArray, vtkObject, vtkPoints, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkTexture

from clipsenet.errors import ClipsenetError
from clipsenet.synthetic.body import Part, Skin
from clipsenet.synthetic.light import Light
from clipsenet.synthetic.viewing import Eye

WINDOWS = {"libEGL.so.1": "vtkEGLRenderWindow", "libOSMesa.so.8": "vtkOSOpenGLRenderWindow"}
"""A library that draws without a display, to VTK's window for it, in the order in which they are tried."""

SUPERSAMPLING = 2
"""Pixels drawn for each pixel given, on either side: the smoothing of edges."""

_UNIFORMS = {
    "vec3": ("up", "sunTowards", "sunLight", "skyLight", "horizonLight", "groundLight"),
    "float": ("groundHeight", "haze", "wet"),
    "vec4": ("shadowEdge",),
}


class Prop:
    """Parts as VTK holds them: made once, moved and shown as often as wanted."""

    def __init__(self, actors: Sequence[vtkActor]) -> None:
        self.actors = actors

    def place(self, x: float = 0.0, y: float = 0.0, heading: float = 0.0) -> None:
        """Stand at ``(x, y)`` metres, turned by ``heading`` degrees counter-clockwise."""
        matrix = vtkMatrix4x4()
        cos, sin = float(np.cos(np.deg2rad(heading))), float(np.sin(np.deg2rad(heading)))
        for row, values in enumerate(((cos, -sin, 0.0, x), (sin, cos, 0.0, y))):
            for column, value in enumerate(values):
                matrix.SetElement(row, column, value)
        for actor in self.actors:
            actor.SetUserMatrix(matrix)


class Renderer:
    """One kept window.

    Args:
        width, height: of its pictures, in pixels.

    Raises:
        ClipsenetError: nothing on this system draws without a display.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.window = _open_window(width * SUPERSAMPLING, height * SUPERSAMPLING)
        self.scene = vtkRenderer()
        self.scene.SetBackground(0, 0, 0)
        self.window.AddRenderer(self.scene)
        self.paint = _paint()
        self.shade = _shade()

    @property
    def name(self) -> str:
        """What draws, as OpenGL calls it."""
        self.window.Render()
        lines = str(self.window.ReportCapabilities()).splitlines()
        return next((line.split(":", 1)[1].strip() for line in lines if "renderer string" in line), "unknown")

    def prop(self, parts: Iterable[Part], skins: dict[str, Skin]) -> Prop:
        """What the parts look like, ready to be shown."""
        textures = {name: _texture(skin) for name, skin in skins.items()}
        actors = []
        for part in parts:
            actor = vtkActor()
            mapper = vtkPolyDataMapper()
            mapper.SetInputData(_poly_data(part))
            actor.SetMapper(mapper)
            actor.SetTexture(textures[part.skin])
            actor.ForceOpaqueOn()  # the skin's fourth channel is gloss
            actor.SetShaderProperty(self.paint)
            actors.append(actor)
        return Prop(actors)

    def shadow(self, image: UInt8[np.ndarray, "height width"], corners: Float[np.ndarray, "4 3"]) -> Prop:
        """A patch that darkens what lies below it: 0 not at all, 255 to black."""
        part = Part(
            corners.astype(np.float32),
            np.tile(np.array([0, 0, 1], dtype=np.float32), (4, 1)),
            np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32),
            np.array([[0, 1, 2], [0, 2, 3]]),
            "shadow",
        )
        rgba = np.zeros((*image.shape, 4), dtype=np.uint8)
        rgba[..., 3] = image
        (actor,) = self.prop([part], {"shadow": rgba}).actors
        actor.ForceOpaqueOff()
        actor.ForceTranslucentOn()
        actor.SetShaderProperty(self.shade)
        return Prop([actor])

    def draw(
        self, props: Iterable[Prop], eye: Eye, light: Light, edge: tuple[float, float, float] | None = None
    ) -> Float[np.ndarray, "height width 3"]:
        """Draw props as an eye sees them.

        Args:
            props: all that is shown.
            eye: where the camera is, where it looks, how wide.
            light: the sun and the sky.
            edge: a shadow's edge on the ground, as ``a x + b y + c = 0``; it is dark where that is negative.

        Returns:
            ``(height, width, 3)`` linear light, 0 to 2.
        """
        self.scene.RemoveAllViewProps()
        for prop in props:
            for actor in prop.actors:
                self.scene.AddActor(actor)
        camera = self.scene.GetActiveCamera()
        camera.SetPosition(*eye.place)
        camera.SetFocalPoint(*eye.target)
        camera.SetViewUp(0, 0, 1)
        camera.SetViewAngle(eye.angle)
        camera.SetClippingRange(*eye.range)
        self._set_light(eye, light, edge)
        backdrop = np.sqrt(np.array(light.horizon) * 0.45)
        self.scene.SetBackground(*backdrop)
        self.window.Render()
        return self._read()

    def depth(self) -> Float[np.ndarray, "height width"]:
        """How far what was last drawn is from the eye, along its axis, in metres; at double resolution, top row first."""
        width, height = self.window.GetSize()
        values = vtkFloatArray()
        self.window.GetZbufferData(0, 0, width - 1, height - 1, values)
        near, far = self.scene.GetActiveCamera().GetClippingRange()
        z = vtk_to_numpy(values).reshape(height, width)[::-1]
        metres: Float[np.ndarray, "height width"] = near * far / (far - z * (far - near))
        return metres

    def close(self) -> None:
        """Give the window back."""
        self.scene.RemoveAllViewProps()
        self.window.Finalize()

    def _read(self) -> Float[np.ndarray, "height width 3"]:
        width, height = self.window.GetSize()
        values = vtkUnsignedCharArray()
        self.window.GetPixelData(0, 0, width - 1, height - 1, 0, values, 0)
        coded = vtk_to_numpy(values).reshape(height, width, 3)[::-1]
        linear = _DECODED[coded]
        k = SUPERSAMPLING
        smooth: Float[np.ndarray, "height width 3"] = linear.reshape(self.height, k, self.width, k, 3).mean(axis=(1, 3))
        return smooth

    def _set_light(self, eye: Eye, light: Light, edge: tuple[float, float, float] | None) -> None:
        axes = eye.axes
        ground = np.array([0.0, 0.0, 1.0])
        towards = np.array(light.towards)
        # a plane through the edge that holds the sun's direction cuts sun from shade at every height
        plane = np.array([0.0, 0.0, 0.0, 1e3])
        if edge is not None:
            a, b, c = edge
            plane = np.array([a, b, -(a * towards[0] + b * towards[1]) / max(towards[2], 0.05), c])
        turned = axes @ plane[:3]
        values: dict[str, Any] = {
            "up": axes @ ground,
            "sunTowards": axes @ towards,
            "sunLight": np.array(light.sun),
            "skyLight": np.array(light.sky),
            "horizonLight": np.array(light.horizon),
            "groundLight": np.array(light.ground),
            "groundHeight": float(eye.place[2]),
            "haze": light.haze,
            "wet": light.wet,
            "shadowEdge": np.array([*turned, plane[3] + plane[:3] @ np.array(eye.place)]),
        }
        for property_ in (self.paint, self.shade):
            uniforms = property_.GetFragmentCustomUniforms()
            for kind, names in _UNIFORMS.items():
                for name in names:
                    if kind == "float":
                        uniforms.SetUniformf(name, values[name])
                    elif kind == "vec3":
                        uniforms.SetUniform3f(name, [float(value) for value in values[name]])
                    else:
                        uniforms.SetUniform4f(name, [float(value) for value in values[name]])


_DECODED = (np.arange(256, dtype=np.float32) / 255) ** 2 * 2
"""What paint.glsl writes, back to linear light."""


def _open_window(width: int, height: int) -> Any:
    import ctypes

    opengl = importlib.import_module("vtkmodules.vtkRenderingOpenGL2")
    failures = []
    vtkObject.GlobalWarningDisplayOff()  # what is tried in vain is said below
    for library, name in WINDOWS.items():
        try:
            ctypes.CDLL(library)
        except OSError as error:
            failures.append(str(error))
            continue
        if not hasattr(opengl, name):
            failures.append(f"this vtk has no {name}")
            continue
        window = getattr(opengl, name)()
        window.SetOffScreenRendering(1)
        window.SetMultiSamples(0)
        window.SetSize(width, height)
        window.SetShowWindow(False)
        if window.SupportsOpenGL():  # the library alone draws nothing: it needs a driver
            vtkObject.GlobalWarningDisplayOn()
            return window
        window.Finalize()
        failures.append(f"{library} finds no driver")
    vtkObject.GlobalWarningDisplayOn()
    raise ClipsenetError(
        f"nothing on this system draws without a display: found neither EGL nor OSMesa ({'; '.join(failures)}); install one, "
        "on Debian: apt-get install libegl1 libgl1-mesa-dri, or: apt-get install libosmesa6"
    )


def _paint() -> Any:
    from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLShaderProperty

    property_ = vtkOpenGLShaderProperty()
    text = importlib.resources.files("clipsenet.synthetic").joinpath("paint.glsl").read_text(encoding="utf-8")
    property_.AddFragmentShaderReplacement("//VTK::TCoord::Impl", True, f"//VTK::TCoord::Impl\n{text}", False)
    return property_


def _shade() -> Any:
    from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLShaderProperty

    property_ = vtkOpenGLShaderProperty()
    text = "fragOutput0 = vec4(0.0, 0.0, 0.0, texture(actortexture, tcoordVCVSOutput).a);\n"
    property_.AddFragmentShaderReplacement("//VTK::TCoord::Impl", True, f"//VTK::TCoord::Impl\n{text}", False)
    return property_


def _poly_data(part: Part) -> vtkPolyData:
    data, points, cells = vtkPolyData(), vtkPoints(), vtkCellArray()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(part.points, dtype=np.float32), deep=True))
    faces = np.ascontiguousarray(part.faces, dtype=np.int64)
    cells.SetData(3, numpy_to_vtkIdTypeArray(faces.ravel(), deep=True))
    data.SetPoints(points)
    data.SetPolys(cells)
    normals = numpy_to_vtk(np.ascontiguousarray(part.normals, dtype=np.float32), deep=True)
    data.GetPointData().SetNormals(normals)
    uv = numpy_to_vtk(np.ascontiguousarray(part.uv, dtype=np.float32), deep=True)
    uv.SetName("uv")
    data.GetPointData().SetTCoords(uv)
    return data


def _texture(skin: Skin) -> vtkTexture:
    image = vtkImageData()
    image.SetDimensions(skin.shape[1], skin.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(skin[::-1]).reshape(-1, 4), deep=True))
    texture = vtkTexture()
    texture.SetInputData(image)
    texture.InterpolateOn()
    texture.MipmapOn()
    return texture
