"""What a frame of a training page costs a browser, in work that is counted rather than timed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from .helpers import classifier, others

#: What is written into the page from one frame to another, of whatever kind, in no time: words that
#: have stood for long enough are written anew.
WRITTEN = """([from, to, go = "frame"]) => {
  const clock = performance.now;
  performance.now = () => 1e6;
  scalargrad[go](from);
  const watcher = new MutationObserver(() => {});
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  watcher.observe(document, all);
  scalargrad[go](to);
  performance.now = clock;
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
    moving = {"boundary", "points", "cursor", "here", "losses"}
    words = {"sentence", "change", "curve-key", "counter", "scrubber"}
    assert places - points <= moving | words
    assert {"boundary", "cursor", "counter"} <= places


def test_frames_share_the_arrays_of_the_plane(open_page: Any) -> None:
    """An array for each unit and frame, thrown away, took as long as the numbers in it."""
    page = open_page(classifier()[0])
    made = page.evaluate(
        """() => {
      for (const k of [0, 1, 2]) scalargrad.frame(k);
      const made = [];
      const known = window.Float64Array;
      window.Float64Array = new Proxy(known, {
        construct: (of, given) => { made.push(given[0]); return Reflect.construct(of, given); },
      });
      for (const k of [3, 4, 5, 9]) scalargrad.frame(k);
      window.Float64Array = known;
      return made;
    }"""
    )
    assert made
    assert max(made) < 48 * 48


def test_a_line_whose_width_cannot_be_told_apart_is_not_written_anew(open_page: Any) -> None:
    """Near the end weights change by less than a fiftieth of the greatest: most lines stay."""
    page = open_page(classifier()[0])
    lines = page.locator("#lines path:not(#halo)").count()
    written = [place for _, place, _ in page.evaluate(WRITTEN, [29, 30, "goTo"])]
    assert lines == 9
    assert written.count("lines") <= 4


def picture_of(page: Any, part: str) -> Any:
    """Return the pixels of a part of the page, as numbers from 0 to 255."""
    np = pytest.importorskip("numpy")
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(page.locator(part).screenshot()))
    return np.asarray(image.convert("RGB")).astype(float)


@pytest.mark.parametrize(("theme", "scale"), [("light", 1), ("dark", 1), ("light", 2)])
@pytest.mark.parametrize("fragment", ["", "#example=3&lines=products", "#lines=changes"])
def test_lines_look_alike_moving_and_at_rest(
    open_page: Any, theme: str, scale: int, fragment: str
) -> None:
    """They are painted in one case and elements in the other: widths, colours, dashes, places."""
    page = open_page(classifier()[0], fragment, color_scheme=theme, device_scale_factor=scale)
    page.evaluate("scalargrad.goTo(12)")
    rest = picture_of(page, "#network .canvas")
    page.evaluate("scalargrad.frame(12)")
    assert page.locator("#lines path").first.is_hidden()
    moving = picture_of(page, "#network .canvas")
    page.evaluate("document.getElementById('tiles').getContext('2d').clearRect(0, 0, 9999, 9999)")
    without = picture_of(page, "#network .canvas")
    drawn = abs(rest - without).mean()
    assert 0.0 < abs(rest - moving).mean() < 0.12 * drawn


def test_after_play_the_page_is_as_if_someone_had_gone_there_by_hand(open_page: Any) -> None:
    """Nothing that was left out while it moved is missing: lines, words, labels."""
    page = open_page(classifier()[0])
    whole = "document.querySelector('main').outerHTML"
    page.evaluate("scalargrad.goTo(30)")
    expected = page.evaluate(whole)
    page.evaluate("scalargrad.goTo(3)")
    page.locator("#speed").select_option("faster")
    page.locator("#play").click()
    page.locator("#play", has_text="Pause").wait_for()
    page.locator("#play", has_text="Play").wait_for()
    assert page.locator("#counter").text_content() == "epoch 30/30"
    assert page.evaluate(whole) == expected


def test_pausing_shows_all_words_and_lines_of_the_snapshot(open_page: Any) -> None:
    """Words that change faster than someone reads are left out only while it moves."""
    page = open_page(classifier()[0])
    # All twenty frames at one time, however long a busy machine takes for them.
    page.evaluate(
        """() => {
          const { now } = performance, time = performance.now();
          performance.now = () => time;
          for (let k = 0; k < 20; k += 1) scalargrad.frame(k);
          performance.now = now;
        }"""
    )
    sentence = page.locator("#sentence").text_content()
    page.locator("#cell-2").hover()
    assert page.locator("#lines path").first.is_hidden()
    page.mouse.move(0, 0)
    page.evaluate("scalargrad.goTo(19)")
    whole = page.evaluate("document.querySelector('main').outerHTML")
    assert page.locator("#sentence").text_content().startswith("Epoch 19:")
    assert not sentence.startswith("Epoch 19:")
    page.reload()
    page.evaluate("scalargrad.goTo(19)")
    assert page.evaluate("document.querySelector('main').outerHTML") == whole


def test_what_is_saved_and_printed_while_it_moves_has_its_lines(open_page: Any) -> None:
    """A file and a sheet of paper stand still."""
    page = open_page(others()["three classes"])
    count = page.locator("#lines path").count()
    page.evaluate("scalargrad.frame(3)")
    with page.expect_download() as saved:
        page.locator("#export").click()
    text = saved.value.path().read_text(encoding="utf-8")
    assert text.count('stroke-dasharray="9px, 5px"') > 0
    assert text.count("<path") >= count
    page.evaluate("scalargrad.frame(4)")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#lines path:not(#halo)").first.is_visible()


def test_lines_are_painted_in_firefox_too(open_in_firefox: Any, tmp_path: Path) -> None:
    """While it moves the canvas holds lines, at rest it does not; both have the same colours."""
    page = open_in_firefox(classifier()[0].save(tmp_path / "training.html"))
    inked = """go => {
      scalargrad[go](12);
      const tiles = document.getElementById("tiles");
      const { data } = tiles.getContext("2d").getImageData(0, 0, tiles.width, tiles.height);
      let blue = 0, orange = 0;
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] < 255) continue;
        if (data[i + 2] - data[i] > 60) blue += 1;
        if (data[i] - data[i + 2] > 60) orange += 1;
      }
      return [blue, orange];
    }"""
    rest, moving = page.evaluate(inked, "goTo"), page.evaluate(inked, "frame")
    assert page.evaluate("document.getElementById('lines').hasAttribute('hidden')")
    assert all(after > before + 200 for before, after in zip(rest, moving, strict=True))
    assert page.evaluate(inked, "goTo") == rest
