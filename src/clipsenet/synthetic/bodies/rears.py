"""Rears: rear window or doors, lamps, bumper, plate and badge."""

from clipsenet.synthetic.bodies.atlas import Atlas
from clipsenet.synthetic.bodies.lamps import paint_tail_lamps
from clipsenet.synthetic.bodies.looks import BLACK, CHROME, LAMP_RED, Look, mixed
from clipsenet.synthetic.bodies.panes import paint_pane, paint_plate
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.identity import LORRIES, Vehicle


def paint_rear(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
    """The rear with its window."""
    atlas.turn_to("rear")
    rng = vehicle.model.rng(13)
    half = lines.width / 2
    if plan.window is not None:
        low, high = plan.window
        split = plan.style == "van"
        paint_pane(
            atlas,
            lines,
            (low - 0.02, high + 0.02),
            (low + 0.015, high - 0.015),
            look.glass,
            inside=not split and plan.style != "bus",
        )
        if split:
            atlas.rectangle((-0.1, low - 0.03), (0.1, high + 0.03), look.paint, 140)
            atlas.line([(0.0, lines.ground + 0.2), (0.0, lines.height - 0.12)], 0.018, look.seam, 90)
        elif rng.random() < 0.5 and plan.style != "bus":
            atlas.line([(0.0, low + 0.02), (-0.5 * half, low + 0.09)], 0.022, BLACK, 30)
    elif plan.style == "van":
        atlas.line([(0.0, lines.ground + 0.2), (0.0, lines.height - 0.12)], 0.018, look.seam, 90)
    atlas.rectangle((-half, 0.0), (half, plan.bumper[1]), *look.bumper)
    atlas.rectangle((-half, 0.0), (half, lines.ground + 0.11), *look.clad)
    atlas.line([(-half, plan.bumper[1]), (half, plan.bumper[1])], 0.016, look.seam, 100)
    if plan.style == "bus":
        for k in range(4):
            atlas.line(
                [(-0.6 * half, 0.75 + 0.1 * k), (0.6 * half, 0.75 + 0.1 * k)], 0.04, mixed(look.paint, (0, 0, 0), 0.5), 60
            )
    elif vehicle.model.family not in LORRIES:  # the boot lid's gaps
        edge, foot = 0.76 * half, plan.bumper[1]
        top = plan.window[0] if plan.window else plan.nose
        for sign in (-1, 1):
            atlas.line([(sign * edge, foot), (sign * edge, top - 0.02)], 0.013, look.seam, 100)
    paint_tail_lamps(atlas, vehicle, half, plan)
    height = plan.plate[1]
    atlas.rectangle((-0.36, height - 0.1), (0.36, height + 0.1), mixed(look.paint, (0, 0, 0), 0.3), 100, 0.04)
    if vehicle.details.trim == "chrome":
        atlas.rectangle((-0.36, height + 0.1), (0.36, height + 0.13), CHROME, 240)
    paint_plate(atlas, vehicle, height)
    if plan.style in ("car", "rough"):
        atlas.disc((0.0, min(height + 0.2, plan.tail_lamp[1])), 0.045, CHROME, 240)
        if rng.random() < 0.5:
            for sign in (-1, 1):
                atlas.rectangle(
                    (sign * 0.62 * half - 0.12, lines.ground + 0.14),
                    (sign * 0.62 * half + 0.12, lines.ground + 0.18),
                    LAMP_RED,
                    220,
                )
