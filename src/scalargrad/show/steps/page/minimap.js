// The whole graph in a corner, where it is larger than its frame: what is shown of it, what is
// active, and a way to move there. On a phone, map and buttons have a strip below the frame.

const [MAP_WIDE, MAP_HIGH] = [210, 100]; // pixels it may take
const LEAST_HIGH = 24; // a very wide graph has a wider map
const [LEAST_WIDE, MOST_HIGH] = [60, 0.45]; // a very tall one a higher map, up to a share of the frame
const STRIP = { high: 40, beside: 180 }; // pixels: the map's height on a phone, and the room of the buttons

let mapped = null; // the drawing that the map shows

// Draw the map of the open drawing anew, and what is shown of it.
function drawMap() {
  const map = $("minimap");
  const { width, height } = graph.viewBox.baseVal;
  const fits = graph.clientWidth <= viewport.clientWidth + 1 && graph.clientHeight <= viewport.clientHeight + 1;
  const size = fits ? null : mapSize(width, height);
  map.toggleAttribute("hidden", !size);
  if (!size) {
    placeTools();
    return;
  }
  if (mapped !== graph || map.getAttribute("width") !== String(size.width)) {
    mapped = graph;
    map.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const side of ["width", "height"]) map.setAttribute(side, String(size[side]));
    map.replaceChildren(...mapShapes(), svgElement("circle", { class: "here", r: 5 / size.scale }), svgElement("rect", { class: "frame" }));
  }
  markMap();
  placeTools();
}

// How large the map is; null where it would be too slim to be made out.
function mapSize(width, height) {
  const [wide, high] = isPhone() ? stripSize(width, height) : cornerSize(width, height);
  const scale = Math.min(wide / width, high / height);
  if (isPhone() && scale * width < LEAST_HIGH) return null;
  return { scale, width: Math.max(LEAST_HIGH, Math.round(width * scale)), height: Math.max(12, Math.round(height * scale)) };
}

function stripSize(width, height) {
  return [Math.min(Math.max(MAP_WIDE, (LEAST_HIGH * width) / height), viewport.clientWidth - STRIP.beside), STRIP.high];
}

function cornerSize(width, height) {
  const wide = Math.min(Math.max(MAP_WIDE, (LEAST_HIGH * width) / height), viewport.clientWidth - 60);
  return [wide, Math.max(MAP_HIGH, Math.min((LEAST_WIDE * height) / width, MOST_HIGH * viewport.clientHeight))];
}

// Lines and shapes without numbers.
function mapShapes() {
  const lines = [...graph.querySelectorAll(".line")].map((line) => svgElement("path", { d: line.getAttribute("d") }));
  const boxes = [...graph.querySelectorAll(".node > rect:first-of-type")].map((box) => {
    const sides = ["x", "y", "width", "height", "rx"].map((side) => [side, box.getAttribute(side)]);
    return svgElement("rect", Object.fromEntries(sides.filter(([, value]) => value !== null)));
  });
  return [...lines, ...boxes];
}

const CORNERS = ["low", "high", "left", "low-left"]; // right below, right above, left above, left below
const FOR_BUTTONS = ["high", "left", "low", "low-left"];

// Put buttons and map into corners where they hide nothing of what the step is about, and little of
// what else is in sight; they stay where they hide nothing, and vanish where every corner hides it.
// The map hides nothing at all; one that is held stays.
function placeTools() {
  if (isPhone()) return; // in their strip they hide nothing
  const box = (shape) => shape.getBoundingClientRect();
  const target = targets().map(box);
  const taken = [];
  for (const [tool, corners] of [[$("zoom"), FOR_BUTTONS], [$("minimap"), CORNERS]]) {
    if (tool.hasAttribute("hidden") || tool.matches(":active")) continue;
    const others = [...graph.querySelectorAll(".node > rect:first-of-type, .wire text, .tap:not(.empty) rect, .chip")].map(box);
    const hiding = (corner) => {
      tool.dataset.corner = corner;
      const covered = (places) => places.reduce((sum, place) => sum + overlap(box(tool), place), 0);
      return { target: covered([...target, ...taken]), all: covered(others) };
    };
    const order = [...new Set([tool.dataset.corner, ...corners])].filter((corner) => corners.includes(corner));
    const found = order.map((corner) => ({ corner, ...hiding(corner) }));
    const best = found.reduce((a, b) => (b.target < a.target || (b.target === a.target && b.all < a.all) ? b : a));
    tool.dataset.corner = best.corner;
    const covers = best.target + (tool.id === "minimap" ? best.all : 0);
    tool.classList.toggle("away", covers > 0);
    if (!covers) taken.push(box(tool));
  }
}

// The shapes that a step is about: both ends of its wires, products and rings.
function targets() {
  const ends = shownSteps().flatMap((k) => [steps[k].node, steps[k].parent]).map((i) => open.nodes.get(i)?.shape);
  return [...ends.filter(Boolean).map((shape) => shape.querySelector("rect") ?? shape), ...overlay.querySelectorAll(".chip .paper, .ring"), ...underlay.querySelectorAll("rect.halo")];
}

// What is shown of the graph, and what is active in it.
function markMap() {
  const map = $("minimap");
  if (map.hasAttribute("hidden") || mapped !== graph) return;
  const scale = graph.viewBox.baseVal.width / graph.clientWidth;
  const frame = map.querySelector(".frame");
  const [drawn, seen] = [graph.getBoundingClientRect(), viewport.getBoundingClientRect()];
  const shown = { x: seen.left - drawn.left, y: seen.top - drawn.top, width: viewport.clientWidth, height: viewport.clientHeight };
  for (const [side, pixels] of Object.entries(shown)) frame.setAttribute(side, String(pixels * scale));
  const here = map.querySelector(".here");
  const place = middleOfHalos();
  here.toggleAttribute("hidden", !place);
  here.setAttribute("cx", String(place?.x ?? 0));
  here.setAttribute("cy", String(place?.y ?? 0));
}

// The middle of what is active: of one wire, a point on it, which the lines to products are not.
function middleOfHalos() {
  const halos = [...underlay.querySelectorAll(".halo")];
  if (!halos.length) return null;
  if (halos.length === 1 && halos[0].tagName === "path") return halos[0].getPointAtLength(halos[0].getTotalLength() / 2);
  const boxes = halos.map((halo) => halo.getBBox());
  const middle = (side, size) => (Math.min(...boxes.map((b) => b[side])) + Math.max(...boxes.map((b) => b[side] + b[size]))) / 2;
  return { x: middle("x", "width"), y: middle("y", "height") };
}

function enableMap() {
  const map = $("minimap");
  const show = (event) => {
    const { left, top, width, height } = map.getBoundingClientRect();
    viewport.scrollTo({
      left: ((event.clientX - left) / width) * graph.clientWidth - viewport.clientWidth / 2,
      top: ((event.clientY - top) / height) * graph.clientHeight - viewport.clientHeight / 2,
      behavior: "instant",
    });
  };
  map.addEventListener("pointerdown", (event) => {
    map.setPointerCapture(event.pointerId);
    show(event);
  });
  map.addEventListener("pointermove", (event) => {
    if (event.buttons) show(event);
  });
  map.addEventListener("pointerup", () => requestAnimationFrame(placeTools));
  viewport.addEventListener("scroll", markMap, { passive: true });
  viewport.addEventListener("scrollend", () => stopScrolling || placeTools(), { passive: true });
}
