"""Pictures of a run beside its grid: what of a long walk is worth keeping, and what a unit sees of each image."""

from __future__ import annotations

import math
from pathlib import Path

from ppgn import conditions, images
from ppgn.keeping import kept
from ppgn.pipeline import Pipeline
from ppgn.receptive import receptive_field
from ppgn.samples import Samples

SHOWN = 400  # pictures at most


def save_kept(pipeline: Pipeline, samples: Samples, above: float, path: Path) -> str:
    """Write the kept codes' pictures of a probability above that, and say how many there are."""
    of = len(samples.chain) * len(samples.images)
    if of == 0:
        return f"no code was kept: the run is shorter than --thin {samples.record['thin']}"
    found = kept(pipeline, samples, math.log(above))
    if not len(found.images):
        return f"none of {of} codes has a probability above {above:g}"
    chosen = found.images[:SHOWN]
    images.grid(chosen, caption=f"{len(found.images)} of {of} codes have a probability above {above:g}").save(path)
    return f"{len(found.images)} of {of} codes have a probability above {above:g}; they are in {path}"


def save_seen(pipeline: Pipeline, samples: Samples, path: Path) -> str:
    """Write of each image the part that the unit asked for sees, and say which part that is."""
    units = [one for one in conditions.walk(pipeline.condition) if isinstance(one, conditions.Unit)]
    asked = units[0]
    channels, height, width = samples.images.shape[1:]
    field = receptive_field(asked.network, asked.layer, asked.position, (height, width), channels)
    rows, columns = slice(field.top, field.top + field.height), slice(field.left, field.left + field.width)
    told = f"rows {field.top} to {rows.stop - 1}, columns {field.left} to {columns.stop - 1}"
    images.grid(samples.images[:SHOWN, :, rows, columns], caption=f"what the unit sees: {told}").save(path)
    return f"the unit sees {told}: {path}"
