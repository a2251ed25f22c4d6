// The viewport of the graph: fit, zoom, pan by scrolling, centre on the active wire.

const MIN_SCALE = 0.7; // minimum scale of a whole graph: letters of 9.8 pixels
const READABLE_SCALE = 0.9; // scale of a graph that does not fit: letters of 13 pixels, on a phone 14
const MAX_SCALE = 2; // maximum scale of a graph that fits
const presentedScale = () => Math.min(Math.max(innerHeight / 500, 1.43), 2); // scale with letters as large as in the panel, readable from the last row
const MAX_PRESENTED_SCALE = 4; // maximum scale in a presentation
const MIN_PRESENTED_SHARE = 0.65; // minimum scale of a whole graph, as a share of presentedScale
const WIDE_RATIO = 1.6; // ratio of width to height above which the panel of a presentation is below the graph
const [PANEL_BESIDE, PANEL_BENEATH, MIN_GAIN] = [0.69, 0.6, 1.25]; // shares of the width with the panel at the side and of the height with it below, and the minimum gain of the latter
const isPresented = () => document.body.classList.contains("present");
const MARGIN = 8; // between a chip and the edge of the frame
let zoom = null; // null: fitted

function fitScale(whole = false) {
  const { width, height } = graph.viewBox.baseVal;
  const fit = Math.min(viewport.clientWidth / width, viewport.clientHeight / height);
  if (whole) return fit;
  const isOfLayers = document.body.dataset.view === "layer" && viewport.clientWidth >= MIN_SCALE * width; // numbers are read from matrices
  if (isPresented() && !isPhone()) {
    const least = isOfLayers ? MIN_SCALE : presentedScale();
    return fit >= MIN_PRESENTED_SHARE * least ? Math.min(fit, MAX_PRESENTED_SCALE) : Math.min(least, MAX_PRESENTED_SCALE);
  }
  if (isPhone()) return Math.min(Math.max(fit, 1), MAX_SCALE);
  if (fit >= MIN_SCALE) return Math.min(fit, MAX_SCALE);
  const across = viewport.clientWidth / width; // a chain in rows is read by scrolling down
  return across < MIN_SCALE ? READABLE_SCALE : Math.min(across, READABLE_SCALE);
}

function resize() {
  document.body.classList.toggle("beneath", isFlat());
  const scale = zoom ?? fitScale();
  for (const side of ["width", "height"]) graph.setAttribute(side, String(Math.floor(graph.viewBox.baseVal[side] * scale)));
  centre(false);
}

// Whether the panel should be below the graph.
function isFlat() {
  const { width, height } = graph.viewBox.baseVal;
  if (isPresented()) return width > WIDE_RATIO * height || graph.classList.contains("rows");
  const { clientWidth, clientHeight } = viewport.closest("main");
  const scale = (across, down) => Math.min((across * clientWidth) / width, (down * clientHeight) / height, MAX_SCALE);
  return !isPhone() && drawings.length === 1 && scale(1, PANEL_BENEATH) > MIN_GAIN * scale(PANEL_BESIDE, 1);
}

// Fit the drawing and the formulas again, but keep the text typed into an open question.
function refit() {
  resize();
  if (!state.question?.isOpen) drawPanel();
}

function zoomBy(factor) {
  zoom = Math.min(Math.max((zoom ?? fitScale()) * factor, 0.2), 4);
  resize();
}

// Switch between the whole graph at any size and the readable size.
function zoomFit() {
  const whole = fitScale(true);
  zoom = zoom === whole ? null : whole;
  resize();
}

// Scroll the active shapes to the middle, if the graph is larger than the viewport.
function centre(smooth = true) {
  const targets = [...underlay.children, ...overlay.querySelectorAll(".chip, .ring, .ring-label")];
  if (!targets.length) return;
  const frame = viewport.getBoundingClientRect();
  const active = targets.map((target) => target.getBoundingClientRect());
  const read = essentialShapes().map((it) => it.getBoundingClientRect());
  scrollGraph({
    left: viewport.scrollLeft + middleOf(active, read, "left", "right", frame.width) - frame.left - frame.width / 2,
    top: viewport.scrollTop + middleOf(active, read, "top", "bottom", frame.height) - frame.top - frame.height / 2,
  }, smooth && !isStill());
}

// The middle of the active shapes if all of them fit, else of the essential ones: a long wire need not be
// visible as a whole.
function middleOf(active, read, low, high, room) {
  const extents = [active, read].map((boxes) => [Math.min(...boxes.map((box) => box[low])), Math.max(...boxes.map((box) => box[high]))]);
  const [from, to] = extents[0][1] - extents[0][0] + 2 * MARGIN <= room ? extents[0] : extents[1];
  return (from + to) / 2;
}

// The essential shapes of a step: its products if it is backward, else the gate and the number above its
// wire; of the inputs, the one at the upper left.
function essentialShapes() {
  const chips = overlay.querySelectorAll(".chip");
  const shapes = [...(chips.length ? chips : underlay.querySelectorAll("rect"))];
  const corner = (shape) => shape.x.baseVal.value + shape.y.baseVal.value;
  return steps[currentSteps()[0]].node === null ? shapes.sort((a, b) => corner(a) - corner(b)).slice(0, 1) : shapes;
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

// Animation: scrolling from one step to the next, and the arrow along an active wire.

const SCROLL_TIME = 400; // milliseconds
const ARROW_TIME = 600; // milliseconds

const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Scroll the graph, at once or frame by frame. The browser's own smooth scrolling is not used: of several in
// a row, Chromium may drop the last while it is busy.
let scrolling = 0; // the requested frame
function scrollGraph({ left, top }, isSmooth) {
  endScrolling();
  const { scrollLeft, scrollTop } = viewport;
  const began = performance.now();
  const move = (now) => {
    const share = isSmooth ? Math.min(Math.max((now - began) / SCROLL_TIME, 0), 1) : 1; // a frame may have started before the call
    const eased = share * share * (3 - 2 * share);
    viewport.scrollTo({ left: scrollLeft + (left - scrollLeft) * eased, top: scrollTop + (top - scrollTop) * eased, behavior: "instant" });
    scrolling = share < 1 ? requestAnimationFrame(move) : 0;
  };
  move(began);
}

const endScrolling = () => cancelAnimationFrame(scrolling);

const ARROW = "M-6,-4.5L8,0L-6,4.5L-3,0z"; // narrow and barbed: near a gate, an even triangle seems to point into it

// Move an arrow once along each active wire, right to left, and then to its gate; with reduced motion, only show it there.
function travel() {
  const backs = [...underlay.querySelectorAll(".back")];
  if (backs.length > MAX_FOLLOWED) return;
  for (const path of backs) {
    const arrow = svgElement("path", { class: "arrow", d: ARROW, transform: finalTransform(path) });
    overlay.append(arrow);
    const track = `path("${path.getAttribute("d")}")`;
    if (!isStill()) arrow.animate({ offsetPath: [track, track], offsetDistance: ["0%", "100%"], transform: ["none", "none"] }, ARROW_TIME);
  }
}

// The final position of the arrow: at the gate, clear of the numbers on the wire.
function finalTransform(path) {
  const distance = Math.min(0.04 * path.getTotalLength(), 6);
  const [at, before, after] = [distance, distance - 2, distance + 2].map((length) => path.getPointAtLength(Math.max(0, length)));
  const angle = Math.atan2(after.y - before.y, after.x - before.x) * (180 / Math.PI);
  return `translate(${at.x},${at.y}) rotate(${angle})`;
}
