// The product on an active wire, upstream × local = contribution, set where it hides least.

const MOST_CHIPS = 3;
const MOST_LINES_MINDED = 120; // of a larger drawing, lines that are not active may be covered
const LONG_WAY = 700; // pixels of a line that passes much else
const COVERED = 300; // pixels that a chip rather moves away than cover any of a node or of another chip
const AWAY = 0.9; // what a pixel of distance costs, where a square pixel covered costs 1
const CROSSED = 0.12; // how much less it matters to cover a line that is not active

function drawChips(active) {
  const backward = active.filter((step) => step.phase === "backward" && lineOf(step));
  const taken = [];
  if (backward.length > MOST_CHIPS) {
    if (backward.every((step) => step.node === backward[0].node)) addChip(chipOfMany(backward), lineOf(backward[0]), taken);
    return;
  }
  for (const step of backward) addChip(makeChip(step), lineOf(step), taken);
}

function addChip(chip, line, taken) {
  overlay.append(chip);
  setOut(chip);
  placeChip(chip, line, taken);
}

// The pieces of a chip: each a text in the colour of what it is.
function makeChip(step) {
  const { sweep } = state;
  const upstream = sweep.signals[step.node];
  const local = sweep.locals[step.node][step.operand];
  const contribution = upstream * local;
  const isAsked = askedStep() === step;
  const sign = isAsked ? "=" : productRelation(upstream, local, contribution);
  const pieces = [
    ["gradient", number(upstream)],
    ["sign", "×"],
    ["local", asksLocal(step) ? "?" : local < 0 ? `(${number(local)})` : number(local)],
    ["sign", sign],
    ["gradient result", isAsked ? "?" : number(contribution)],
  ];
  if (isStopped(sweep, step) && !isAsked) pieces.push(["stops", "stops here"]);
  return chipOf(pieces);
}

// The product on many wires at once: what arrives, and how many locals it is multiplied by.
function chipOfMany(backward) {
  const upstream = state.sweep.signals[backward[0].node];
  return chipOf([["gradient", number(upstream)], ["sign", "×"], ["local", `${backward.length} locals`]]);
}

function chipOf(pieces) {
  const texts = pieces.map(([kind, text]) => svgElement("text", { class: kind }, text));
  return svgElement("g", { class: "chip" }, svgElement("rect", { class: "paper" }), svgElement("rect", { class: "frame" }), ...texts);
}

// Put the pieces side by side, and the frame around the local derivative.
function setOut(chip) {
  let x = 10;
  for (const text of chip.querySelectorAll("text")) {
    const isLocal = text.classList.contains("local");
    if (isLocal) x += 5;
    text.setAttribute("x", x);
    text.setAttribute("y", 19);
    const width = text.getComputedTextLength();
    if (isLocal) sized(chip.querySelector(".frame"), x - 5, 4, width + 10, 20);
    x += width + (isLocal ? 12 : 7);
  }
  chip.dataset.width = x + 3;
  chip.dataset.height = 28;
  sized(chip.querySelector(".paper"), 0, 0, x + 3, 28);
}

function sized(rect, x, y, width, height) {
  for (const [key, value] of Object.entries({ x, y, width, height, rx: 6 })) rect.setAttribute(key, value);
}

// Of several places around the middle of a line, take the one that covers least.
function placeChip(chip, line, taken) {
  const width = Number(chip.dataset.width);
  const height = Number(chip.dataset.height);
  const share = open.find(`${line.id}-tap`) ? 0.9 : 0.5; // clear of the number on a tap
  const length = line.getTotalLength();
  const middle = line.getPointAtLength(length > LONG_WAY ? length - LONG_WAY / 8 : length * share); // near the gate, of a long one
  const { width: right, height: bottom } = graph.viewBox.baseVal;
  const nodes = [...graph.querySelectorAll(".node > rect:not(.hit)")].map((shape) => shape.getBBox());
  const obstacles = [...occupied(), ...along(underlay.querySelectorAll(".back"))];
  const lines = [...graph.querySelectorAll(".line")];
  const others = lines.length > MOST_LINES_MINDED ? [] : along(lines);
  let best = null;
  for (const dy of [0, -34, 34, -48, 48, -64, 64, -84, 84, -110, 110, -140, 140, -180, 180, -230, 230, -280, 280]) {
    for (const dx of [0, -30, 30, -60, 60, -100, 100, -150, 150, -200, 200, -260, 260]) {
      const away = AWAY * Math.hypot(dx, dy);
      if (best && away >= best.cost) continue;
      const box = {
        x: Math.min(Math.max(middle.x - width / 2 + dx, 2), Math.max(right - width - 2, 2)),
        y: Math.min(Math.max(middle.y - height / 2 + dy, 2), bottom - height - 2),
        width,
        height,
      };
      const hidden = obstacles.reduce((sum, other) => sum + overlap(box, other), 0);
      const crossed = others.reduce((sum, other) => sum + overlap(box, other), 0);
      const covered = [...nodes, ...taken].filter((other) => overlap(box, other)).length;
      const cost = hidden + CROSSED * crossed + COVERED * covered + away;
      if (!best || cost < best.cost) best = { cost, box };
    }
  }
  taken.push(best.box);
  chip.setAttribute("transform", `translate(${best.box.x.toFixed(1)},${best.box.y.toFixed(1)})`);
  const edge = { x: clamp(middle.x, best.box.x, width), y: clamp(middle.y, best.box.y, height) };
  underlay.append(svgElement("path", { class: "leader", d: `M${middle.x},${middle.y}L${edge.x},${edge.y}` }));
}

const clamp = (x, from, size) => Math.min(Math.max(x, from), from + size);

function overlap(a, b) {
  const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}

// Small boxes along paths, which should not be hidden either.
function along(paths) {
  return [...paths].flatMap((path) => {
    const length = path.getTotalLength();
    return Array.from({ length: Math.ceil(length / 12) }, (_, i) => {
      const { x, y } = path.getPointAtLength(12 * i);
      return { x: x - 6, y: y - 6, width: 12, height: 12 };
    });
  });
}

// The boxes of everything that stands in the graph and should stay legible.
function occupied() {
  const selected = ".node rect:not(.hit), .constant rect, .again rect, .wire text, .tap:not(.empty) rect, .fan, .ring, .ring-label";
  const boxes = [...graph.querySelectorAll(selected)].map((shape) => shape.getBBox());
  return boxes.filter((box) => box.width).map(({ x, y, width, height }) => ({ x: x - 6, y: y - 4, width: width + 12, height: height + 8 }));
}
