// What moves: the arrow along an active wire, and the frame from one step to the next.

const ARROW_TIME = 600; // milliseconds
const SCROLL_TIME = 400;

const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Draw the share of a time that has passed, at each frame of the screen up to 1; return what stops it.
function animate(milliseconds, draw) {
  const began = performance.now();
  const onFrame = (now) => {
    const share = Math.min(Math.max((now - began) / milliseconds, 0), 1); // a frame may have begun before
    if (share < 1) next = requestAnimationFrame(onFrame);
    draw(share);
  };
  let next = requestAnimationFrame(onFrame);
  return () => cancelAnimationFrame(next);
}

// Bring a place of the graph to the upper left of its frame, at once or frame by frame: of a browser's
// own smooth scrolls that follow one another while it is busy, Chromium may lose the last.
let stopScrolling = null; // while it is under way
function scrollGraph({ left, top }, isSmooth) {
  endScrolling();
  const { scrollLeft, scrollTop } = viewport;
  const move = (share) => {
    const eased = share * share * (3 - 2 * share);
    viewport.scrollTo({ left: scrollLeft + (left - scrollLeft) * eased, top: scrollTop + (top - scrollTop) * eased, behavior: "instant" });
    if (share === 1) endScrolling();
  };
  if (isSmooth) stopScrolling = animate(SCROLL_TIME, move);
  else move(1);
}

function endScrolling() {
  stopScrolling?.();
  stopScrolling = null;
}

const ARROW = "M-6,-4.5L8,0L-6,4.5L-3,0z"; // slender and barbed: beside a gate, an even triangle seems to point into it

// An arrow runs once along each active wire, right to left, and back to its gate; without motion it stands there.
let stopArrows = () => {};
function travel() {
  stopArrows();
  const backs = [...underlay.querySelectorAll(".back")];
  if (!backs.length || backs.length > MOST_FOLLOWED) return;
  const arrows = backs.map((path) => ({ path, length: path.getTotalLength(), arrow: svgElement("path", { class: "arrow", d: ARROW }) }));
  for (const { arrow } of arrows) overlay.append(arrow);
  const place = (along) => {
    for (const { path, length, arrow } of arrows) {
      const way = along(length);
      const at = path.getPointAtLength(way);
      const before = path.getPointAtLength(Math.max(0, way - 2));
      const after = path.getPointAtLength(Math.min(length, way + 2));
      const angle = Math.atan2(after.y - before.y, after.x - before.x) * (180 / Math.PI);
      arrow.setAttribute("transform", `translate(${at.x},${at.y}) rotate(${angle})`);
    }
  };
  place(atRest);
  if (!isStill()) stopArrows = animate(ARROW_TIME, (share) => place(share < 1 ? (length) => share * length : atRest));
}

// Where the arrow comes to rest: at the gate, clear of the numbers on the wire, even of one on a short tap.
const atRest = (length) => Math.min(0.04 * length, 6);
