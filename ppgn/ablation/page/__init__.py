"""The page of an ablation, `report.html`: see `ppgn.ablation.page.pages`."""

from ppgn.ablation.page.pages import LIMIT, write

__all__ = ["LIMIT", "write"]
