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
  if (fits) return;
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
  placeMap();
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

const CORNERS = ["low", "high", "left"]; // right below, right above, left above

// Put the map where it hides least of what is in sight; it stays where it hides nothing.
function placeMap() {
  const map = $("minimap");
  if (map.hasAttribute("hidden")) return;
  const places = [...graph.querySelectorAll(".node > rect:first-of-type, .wire text, .chip")].map((place) => place.getBoundingClientRect());
  const hiding = (corner) => {
    map.dataset.corner = corner;
    const own = map.getBoundingClientRect();
    return places.reduce((sum, place) => sum + overlap(own, place), 0);
  };
  const corners = [map.dataset.corner, ...CORNERS].filter(Boolean);
  const hidden = corners.map(hiding);
  map.dataset.corner = corners[hidden.indexOf(Math.min(...hidden))];
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
  const box = underlay.getBBox();
  const here = map.querySelector(".here");
  here.toggleAttribute("hidden", !box.width && !box.height);
  here.setAttribute("cx", String(box.x + box.width / 2));
  here.setAttribute("cy", String(box.y + box.height / 2));
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
  viewport.addEventListener("scroll", markMap, { passive: true });
}
