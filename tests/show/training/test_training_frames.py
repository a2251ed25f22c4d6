"""What a frame of a training page costs a browser, in work that is counted rather than timed."""

from __future__ import annotations

from typing import Any

from .helpers import classifier

#: What is written into the page from one frame to another, of whatever kind.
WRITTEN = """([from, to]) => {
  scalargrad.frame(from);
  const watcher = new MutationObserver(() => {});
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  watcher.observe(document, all);
  scalargrad.frame(to);
  return watcher.takeRecords().map(({ type, target, attributeName }) =>
    [type, target.id || target.closest?.("[id]")?.id || target.parentElement.id, attributeName]);
}"""


def test_a_frame_that_shows_the_same_writes_nothing(open_page: Any) -> None:
    """Browsers lay out and paint what is written anew, changed or not."""
    page = open_page(classifier()[0])
    assert page.evaluate(WRITTEN, [7, 7]) == []


def test_from_one_frame_to_the_next_only_what_differs_is_written(open_page: Any) -> None:
    """No element comes or goes; units, axes and controls stay as they are."""
    page = open_page(classifier()[0])
    written = page.evaluate(WRITTEN, [20, 21])
    kinds = {kind for kind, _, _ in written}
    assert kinds <= {"attributes", "characterData"}
    places = {place for _, place, _ in written}
    points = {place for place in places if place.startswith("point-")}
    moving = {"lines", "halo", "boundary", "points", "cursor", "here", "losses"}
    words = {"sentence", "change", "curve-key", "counter", "scrubber", "timeline"}
    assert places - points <= moving | words
    assert {"lines", "boundary", "cursor", "sentence", "counter"} <= places


def test_a_line_whose_width_cannot_be_told_apart_is_not_painted_anew(open_page: Any) -> None:
    """Near the end weights change by less than a fiftieth of the greatest: most lines stay."""
    page = open_page(classifier()[0])
    lines = page.locator("#lines path:not(#halo)").count()
    written = [place for _, place, _ in page.evaluate(WRITTEN, [29, 30])]
    assert lines == 9
    assert written.count("lines") <= 4
