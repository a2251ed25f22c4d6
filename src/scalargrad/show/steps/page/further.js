// Where the panel goes on below the fold, a button says so, and scrolls on. Readers of a screen and
// those with a keyboard read on without it.

const FURTHER_LEAST = 4; // pixels of text below the fold: with less, it can be read
const FURTHER_LINE = 40; // pixels that stay in sight

// How far the panel goes on: below its own frame or, on a phone, where the page is scrolled, below the bar.
function roomBelow() {
  const panel = $("panel");
  if (!isPhone()) return panel.scrollHeight - panel.clientHeight - panel.scrollTop;
  return panel.getBoundingClientRect().bottom - $("timeline").getBoundingClientRect().top;
}

function markFurther() {
  const margin = Number.parseFloat(getComputedStyle($("panel")).paddingBottom); // of that, nothing is to be read
  $("further").hidden = roomBelow() < margin + FURTHER_LEAST;
}

function scrollFurther() {
  const above = Math.max(0, $("stage").getBoundingClientRect().bottom);
  if (isPhone()) window.scrollBy({ top: Math.max(FURTHER_LINE, $("further").getBoundingClientRect().top - above - FURTHER_LINE) });
  else $("panel").scrollBy({ top: $("panel").clientHeight - FURTHER_LINE });
}

function enableFurther() {
  let asked = 0;
  const mark = () => { asked ||= requestAnimationFrame(() => { asked = 0; markFurther(); }); };
  new MutationObserver(mark).observe($("panel"), { childList: true, subtree: true, characterData: true });
  new ResizeObserver(mark).observe($("panel"));
  for (const scrolled of [$("panel"), document]) scrolled.addEventListener("scroll", mark, { passive: true });
  window.addEventListener("resize", mark);
  $("further").addEventListener("click", scrollFurther);
  mark();
}
