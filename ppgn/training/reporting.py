"""What a run tells while it goes on, by one process of several: a bar, TensorBoard's scalars, contact sheets."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from ppgn import files
from ppgn.training import processes

SAMPLES = "samples"  # folder of the contact sheets


@dataclass(frozen=True)
class Reports:
    """Where a run's progress is shown; a process that is not the main one shows nothing."""

    out: Path
    each: int
    bar: Any
    writer: Any

    def advance(self) -> None:
        """One step more."""
        self.bar.update(self.each)

    def log(self, metrics: Mapping[str, Tensor], step: int) -> None:
        """Show the metrics of a step, which waits for the device."""
        if not processes.is_main():
            return
        values = {name: float(value) for name, value in metrics.items()}
        self.bar.set_postfix({name: f"{value:.4g}" for name, value in values.items()}, refresh=False)
        if self.writer is not None:
            for name, value in values.items():
                self.writer.add_scalar(name, value, step)

    def show(self, sheet: Image.Image, epoch: int, step: int) -> None:
        """Write OUT/samples/epoch-0001.png, and the same to TensorBoard."""
        content = io.BytesIO()
        sheet.save(content, "PNG")
        files.write_bytes(self.out / SAMPLES / f"epoch-{epoch:04d}.png", content.getvalue())
        if self.writer is not None:
            self.writer.add_image(SAMPLES, np.asarray(sheet), step, dataformats="HWC")


@contextmanager
def reports(
    out: Path, *, steps: int, start: int, batch_size: int | None, tensorboard: bool, progress: bool
) -> Iterator[Reports]:
    """Reports of the steps from `start` to `steps`; with the batch's size the bar counts images.

    Raises ImportError if TensorBoard is asked for and not there.
    """
    main = processes.is_main()
    start_log = tensorboard_writer() if tensorboard and main else None
    writer = start_log(str(out / "tensorboard")) if start_log else None
    each = batch_size or 1
    bar = tqdm(
        total=steps * each, initial=start * each, disable=None if progress and main else True,
        unit="step" if batch_size is None else "image", unit_scale=batch_size is not None,
    )  # fmt: skip
    with bar:
        try:
            yield Reports(out, each, bar, writer)
        finally:
            if writer is not None:
                writer.close()


def tensorboard_writer() -> Any:
    """TensorBoard's SummaryWriter. Raises ImportError, saying what to install, if it is not there."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ImportError("TensorBoard is an extra: pip install 'ppgn[tensorboard]'") from None
    return SummaryWriter
