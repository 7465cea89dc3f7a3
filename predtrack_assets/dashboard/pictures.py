"""Pictures of the pages: those of the assets' metadata, drawn once for each version of the data."""

from __future__ import annotations

from datetime import date

from predtrack_assets.dashboard.blocks import Figure
from predtrack_assets.dashboard.reading import Reading
from predtrack_assets.dashboard.scores import scores
from predtrack_assets.reporting.plots import accuracy as plots
from predtrack_assets.reporting.plots.canvas import Picture
from predtrack_assets.warehouse.accuracy.day_sums import LATEST_DUE_DAY
from predtrack_assets.warehouse.database.transaction import Transaction

SOURCES = {
    "reliability": plots.sums_plots,
    "errors": plots.sums_plots,
    "skill": plots.sums_plots,
    "ranking": plots.ranking_plot,
    "survival": plots.survival_plot,
}


def picture(reading: Reading, name: str) -> Picture | None:
    """A picture as of the newest due day; None for a name that there is not."""
    draw = SOURCES.get(name)
    if draw is None:
        return None

    def drawn(transaction: Transaction) -> dict[str, Picture]:
        last = transaction.read(LATEST_DUE_DAY, known_by=date.max).item()
        if last is None:
            return {}
        return draw(transaction, last)

    found = reading.keep(draw.__name__, drawn)
    return found.get(name) or Picture("Nothing to draw yet: no prediction has fallen due.")


def png(reading: Reading, name: str) -> bytes | None:
    """The picture's bytes; None where there is none."""
    found = picture(reading, name)
    return found.png if found else None


def figure(reading: Reading, name: str, title: str) -> Figure:
    """The picture as a block of a page, which does not wait until it is drawn."""
    if scores(reading).last is None:
        return Figure(
            title, name, "Nothing to draw yet: no prediction has fallen due.", drawn=False
        )
    known = reading.kept.peek(SOURCES[name].__name__)
    found = known.get(name) if known else None
    if found is None:
        return Figure(title, f"{name}.png?v={reading.version}", title, drawn=True)
    if found.png is None:
        return Figure(title, name, found.alt, drawn=False)
    width, height = (int.from_bytes(found.png[at : at + 4], "big") for at in (16, 20))
    return Figure(title, f"{name}.png?v={reading.version}", found.alt, True, width, height)
