"""Fronts: windscreen, grille, lamps, bumper and plate."""

from clipsenet.synthetic.bodies.atlas import Atlas
from clipsenet.synthetic.bodies.grilles import paint_grille
from clipsenet.synthetic.bodies.lamps import paint_head_lamps
from clipsenet.synthetic.bodies.looks import BLACK, PALE_GLASS, Look
from clipsenet.synthetic.bodies.panes import paint_pane, paint_plate, upper_half
from clipsenet.synthetic.bodies.plans import Plan
from clipsenet.synthetic.bodies.proportions import Proportions
from clipsenet.synthetic.identity import Vehicle


def paint_front(atlas: Atlas, vehicle: Vehicle, lines: Proportions, plan: Plan, look: Look) -> None:
    """The front with the windscreen."""
    atlas.turn_to("front")
    rng = vehicle.model.rng(10)
    half, details = lines.width / 2, vehicle.details
    low, high = plan.screen
    paint_pane(atlas, lines, (low - 0.03, high + 0.03), (low + 0.02, high - 0.02), look.screen, inside=plan.style != "bus")
    if details.sun_strip is not None:
        foot = high - 0.06 - 0.12 * min(high - low, 0.9)
        wide, narrow = (upper_half(lines, z) - 0.1 for z in (foot, high))
        atlas.polygon([(-wide, foot), (wide, foot), (narrow, high - 0.02), (-narrow, high - 0.02)], details.sun_strip, 200)
    for y in (-0.05, 0.55 * half):  # wipers
        atlas.line([(y, low + 0.01), (y - 0.5 * half, low + 0.06)], 0.02, BLACK, 30)
    if plan.style == "bus":
        _paint_board(atlas, half, high)
    atlas.rectangle((-half, 0.0), (half, plan.bumper[0]), *look.bumper)
    atlas.rectangle((-half, 0.0), (half, lines.ground + 0.09), *look.clad)
    nose = plan.nose
    paint_grille(atlas, vehicle, lines, plan, look)
    paint_head_lamps(atlas, vehicle, half, plan)
    # air intake and fog lamps
    bottom = lines.ground + 0.1
    if rng.random() < 0.75:
        wide, tall = half * float(rng.uniform(0.4, 0.72)), float(rng.uniform(0.08, 0.16))
        atlas.polygon(
            [(-wide, bottom), (wide, bottom), (0.86 * wide, bottom + tall), (-0.86 * wide, bottom + tall)], BLACK, 30, 0.04
        )
    fog = int(rng.integers(3))
    for sign in (-1, 1):
        place = (sign * 0.72 * half, bottom + 0.1)
        if fog == 1:
            atlas.disc(place, 0.075, BLACK, 60)
            atlas.disc(place, 0.05, PALE_GLASS, 255)
        elif fog == 2:
            atlas.rectangle((place[0] - 0.13, place[1] - 0.045), (place[0] + 0.13, place[1] + 0.045), BLACK, 60, 0.02)
            atlas.rectangle((place[0] - 0.05, place[1] - 0.03), (place[0] + 0.05, place[1] + 0.03), PALE_GLASS, 255, 0.02)
    if plan.style in ("car", "rough"):
        atlas.line([(-0.8 * half, nose + 0.005), (0.8 * half, nose + 0.005)], 0.012, look.seam, 100)
    paint_plate(atlas, vehicle, plan.plate[0])


def _paint_board(atlas: Atlas, half: float, high: float) -> None:
    """A bus's destination board, blank."""
    atlas.rectangle((-0.8 * half, high - 0.42), (0.8 * half, high - 0.08), BLACK, 200, 0.04)
    atlas.rectangle((-0.6 * half, high - 0.36), (0.6 * half, high - 0.14), (92, 74, 26), 160, 0.02)
