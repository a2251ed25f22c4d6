// The graph's frame: fitted, zoomed, panned by scrolling, centred on the active wire.

const LEAST_SCALE = 0.7; // letters of 9.8 pixels: what is smaller is not shown whole, but at a size
const READABLE_SCALE = 0.9; // at which letters have 13 pixels; on a phone 14
const MOST_SCALE = 2;
const presentedScale = () => Math.min(Math.max(innerHeight / 500, 1.43), 2); // letters as large as in the panel, for the last row
const MOST_PRESENTED = 4;
const LEAST_PRESENTED = 0.65; // of that size; a graph that would be smaller is not shown whole
const WIDE = 1.6; // beside a graph this wide, or one in rows, a panel would take the room of a presentation
const [BESIDE, ABOVE, GAIN] = [0.69, 0.6, 1.25]; // what a panel leaves of the width, or of the height if it is beneath, which must gain so much
const isPresented = () => document.body.classList.contains("present");
const MARGIN = 8; // between a chip and the edge of the frame
let zoom = null; // null: fitted

function fittedScale(whole = false) {
  const { width, height } = graph.viewBox.baseVal;
  const fit = Math.min(viewport.clientWidth / width, viewport.clientHeight / height);
  if (whole) return fit;
  const isOfLayers = document.body.dataset.view === "layer" && viewport.clientWidth >= LEAST_SCALE * width; // read from matrices
  if (isPresented() && !isPhone()) {
    const least = isOfLayers ? LEAST_SCALE : presentedScale();
    return fit >= LEAST_PRESENTED * least ? Math.min(fit, MOST_PRESENTED) : Math.min(least, MOST_PRESENTED);
  }
  if (isPhone()) return Math.min(Math.max(fit, 1), MOST_SCALE);
  if (fit >= LEAST_SCALE) return Math.min(fit, MOST_SCALE);
  const across = viewport.clientWidth / width; // a chain in rows is read down
  return across < LEAST_SCALE ? READABLE_SCALE : Math.min(across, READABLE_SCALE);
}

function resize() {
  document.body.classList.toggle("beneath", isFlat());
  const scale = zoom ?? fittedScale();
  for (const side of ["width", "height"]) graph.setAttribute(side, String(Math.floor(graph.viewBox.baseVal[side] * scale)));
  centre(false);
}

// Whether the drawing has more room above the panel than beside it.
function isFlat() {
  const { width, height } = graph.viewBox.baseVal;
  if (isPresented()) return width > WIDE * height || graph.classList.contains("rows");
  const { clientWidth, clientHeight } = viewport.closest("main");
  const scale = (across, down) => Math.min((across * clientWidth) / width, (down * clientHeight) / height, MOST_SCALE);
  return !isPhone() && drawings.length === 1 && scale(1, ABOVE) > GAIN * scale(BESIDE, 1);
}

// Fit drawing and formulas anew; a question is left alone with what has been written in it.
function refit() {
  resize();
  if (!state.question?.isOpen) drawPanel();
}

function zoomBy(factor) {
  zoom = Math.min(Math.max((zoom ?? fittedScale()) * factor, 0.2), 4);
  resize();
}

// Show the whole graph, however small; once more, the readable size.
function zoomFit() {
  const whole = fittedScale(true);
  zoom = zoom === whole ? null : whole;
  resize();
}

// Bring what is active into the middle, where the graph is larger than its frame.
function centre(smooth = true) {
  const targets = [...underlay.children, ...overlay.querySelectorAll(".chip, .ring, .ring-label")];
  if (!targets.length) return;
  const frame = viewport.getBoundingClientRect();
  const active = targets.map((target) => target.getBoundingClientRect());
  const read = mustBeRead().map((it) => it.getBoundingClientRect());
  scrollGraph({
    left: viewport.scrollLeft + middleOf(active, read, "left", "right", frame.width) - frame.left - frame.width / 2,
    top: viewport.scrollTop + middleOf(active, read, "top", "bottom", frame.height) - frame.top - frame.height / 2,
  }, smooth && !isStill());
}

// The middle of what is active, if the frame holds all of it; else of what must be read: a long wire,
// such as one along a chain, need not be seen whole.
function middleOf(active, read, low, high, room) {
  const extents = [active, read].map((boxes) => [Math.min(...boxes.map((box) => box[low])), Math.max(...boxes.map((box) => box[high]))]);
  const [from, to] = extents[0][1] - extents[0][0] + 2 * MARGIN <= room ? extents[0] : extents[1];
  return (from + to) / 2;
}

// What a step is read from: its products on the way back, else the gate and the number above its wire; of
// the inputs, the one at the upper left.
function mustBeRead() {
  const chips = overlay.querySelectorAll(".chip");
  const shapes = [...(chips.length ? chips : underlay.querySelectorAll("rect"))];
  const corner = (shape) => shape.x.baseVal.value + shape.y.baseVal.value;
  return steps[shownSteps()[0]].node === null ? shapes.sort((a, b) => corner(a) - corner(b)).slice(0, 1) : shapes;
}

// Drag the graph with a mouse; a finger scrolls it natively.
function enableDragging() {
  let from = null;
  viewport.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "mouse" || event.button !== 0 || event.target.closest(".node")) return;
    from = { x: event.clientX + viewport.scrollLeft, y: event.clientY + viewport.scrollTop };
    viewport.setPointerCapture(event.pointerId);
    viewport.classList.add("dragged");
  });
  viewport.addEventListener("pointermove", (event) => {
    if (from) viewport.scrollTo({ left: from.x - event.clientX, top: from.y - event.clientY, behavior: "instant" });
  });
  viewport.addEventListener("lostpointercapture", () => {
    from = null;
    viewport.classList.remove("dragged");
  });
}

// What moves: the frame from one step to the next, and the arrow along an active wire.

const SCROLL_TIME = 400; // milliseconds
const ARROW_TIME = 600;

const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Bring a place of the graph to the upper left of its frame, at once or frame by frame: of a browser's
// own smooth scrolls that follow one another while it is busy, Chromium may lose the last.
let scrolling = 0; // the frame that comes next
function scrollGraph({ left, top }, isSmooth) {
  endScrolling();
  const { scrollLeft, scrollTop } = viewport;
  const began = performance.now();
  const move = (now) => {
    const share = isSmooth ? Math.min(Math.max((now - began) / SCROLL_TIME, 0), 1) : 1; // a frame may have begun before
    const eased = share * share * (3 - 2 * share);
    viewport.scrollTo({ left: scrollLeft + (left - scrollLeft) * eased, top: scrollTop + (top - scrollTop) * eased, behavior: "instant" });
    scrolling = share < 1 ? requestAnimationFrame(move) : 0;
  };
  move(began);
}

const endScrolling = () => cancelAnimationFrame(scrolling);

const ARROW = "M-6,-4.5L8,0L-6,4.5L-3,0z"; // slender and barbed: beside a gate, an even triangle seems to point into it

// An arrow runs once along each active wire, right to left, and back to its gate; without motion it stands there.
function travel() {
  const backs = [...underlay.querySelectorAll(".back")];
  if (backs.length > MOST_FOLLOWED) return;
  for (const path of backs) {
    const arrow = svgElement("path", { class: "arrow", d: ARROW, transform: atRest(path) });
    overlay.append(arrow);
    const along = `path("${path.getAttribute("d")}")`;
    if (!isStill()) arrow.animate({ offsetPath: [along, along], offsetDistance: ["0%", "100%"], transform: ["none", "none"] }, ARROW_TIME);
  }
}

// Where the arrow comes to rest: at the gate, clear of the numbers on the wire, even of one on a short tap.
function atRest(path) {
  const way = Math.min(0.04 * path.getTotalLength(), 6);
  const [at, before, after] = [way, way - 2, way + 2].map((length) => path.getPointAtLength(Math.max(0, length)));
  const angle = Math.atan2(after.y - before.y, after.x - before.x) * (180 / Math.PI);
  return `translate(${at.x},${at.y}) rotate(${angle})`;
}
