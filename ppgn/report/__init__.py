"""Reports: one HTML file that needs nothing else, with its style, script, data and pictures inside.

It opens from disk and asks no network: a Content-Security-Policy of hashes lets the browser run and load nothing but
what was written here. What is told of data is text, never markup.

>>> page("Means", [tag("p", "1 < 2")]).count("<p>1 &lt; 2</p>")
1
"""

from ppgn.report.markup import Html, tag
from ppgn.report.pages import page
from ppgn.report.pictures import Pictures, fits, packed, sha256
from ppgn.report.runs import run_page

__all__ = ["Html", "Pictures", "fits", "packed", "page", "run_page", "sha256", "tag"]
