// The whole graph in a corner, where it is larger than its frame: what is shown of it, what is
// active, and a way to move there.

const [MAP_WIDE, MAP_HIGH] = [210, 100]; // pixels it may take
const LEAST_HIGH = 24; // a very wide graph has a wider map

let mapped = null; // the drawing that the map shows

// Draw the map of the open drawing anew, and what is shown of it.
function drawMap() {
  const map = $("minimap");
  const { width, height } = graph.viewBox.baseVal;
  const fits = graph.clientWidth <= viewport.clientWidth + 1 && graph.clientHeight <= viewport.clientHeight + 1;
  map.toggleAttribute("hidden", fits);
  if (fits) {
    placeTools();
    return;
  }
  if (mapped !== graph) {
    mapped = graph;
    const widest = Math.min(Math.max(MAP_WIDE, (LEAST_HIGH * width) / height), viewport.clientWidth - (isPhone() ? 180 : 60)); // beside the buttons
    const scale = Math.min(widest / width, MAP_HIGH / height);
    map.setAttribute("viewBox", `0 0 ${width} ${height}`);
    map.setAttribute("width", String(Math.max(24, Math.round(width * scale))));
    map.setAttribute("height", String(Math.max(12, Math.round(height * scale))));
    map.replaceChildren(...mapShapes(), svgElement("circle", { class: "here", r: 5 / scale }), svgElement("rect", { class: "frame" }));
  }
  markMap();
  placeTools();
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

// Put buttons and map into corners where they hide nothing of what the step is about, and little of
// what else is in sight; they stay where they hide nothing, and vanish where every corner hides it.
// The map hides nothing at all; one that is held stays.
function placeTools() {
  const box = (shape) => shape.getBoundingClientRect();
  const target = targets().map(box);
  const taken = [];
  const forButtons = isPhone() ? ["low-left", "low", "high", "left"] : ["high", "left", "low", "low-left"];
  for (const [tool, corners] of [[$("zoom"), forButtons], [$("minimap"), CORNERS]]) {
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
