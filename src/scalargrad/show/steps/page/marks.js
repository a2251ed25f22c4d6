// What marks the active parts of the open drawing: halos, outlines, rings, and the arrow back.

const LABEL_GAP = 7; // pixels between a name and "saved" beside it
const LABEL_LINE = 16; // from a name up to "saved" above it
const MOST_FOLLOWED = 24; // of more wires than that, the lines alone are marked

// The amber halo and the dark outline of what a stop is about.
function highlight(active) {
  const marked = new Set();
  const back = active.filter((step) => step.phase === "backward");
  const isCrowded = new Set(back.map(lineOf)).size > MOST_FOLLOWED;
  const shapes = active.flatMap((step) => shapesOf(step));
  for (const shape of new Set(shapes.filter(Boolean))) haloShape(shape);
  for (const step of active) {
    if (step.node === null) continue;
    if (step.phase === "forward") markForward(step, marked);
    else if (step.phase === "seed") haloNumber(step.node, "gradient");
    else markBackward(step, marked, isCrowded);
  }
  if (back.length <= MOST_FOLLOWED) markSaved(back);
  markAlarm();
}

// A warning sign at the first node that is inf or nan, or at the bundle or fold in which it stands.
function markAlarm() {
  const { alarm } = state.sweep;
  if (!alarm || !isDone(alarm.at)) return;
  const fold = foldAround(open.index, alarm.node);
  const shape = open.find(open.unitOf.get(alarm.node) ?? `n${alarm.node}`) ?? open.folds.get(fold)?.shape;
  const box = shape?.querySelector("rect").getBBox();
  if (!box) return;
  overlay.append(
    around(box, "alarm", 4, 4),
    svgElement("path", { class: "alarm-sign", d: `M${box.x - 12},${box.y + 7}l9,-17l9,17z` }),
    svgElement("text", { class: "alarm-text", x: box.x - 3, y: box.y + 5 }, "!"),
  );
}

// Ring the forward values that the local derivatives of these steps read.
function markSaved(back) {
  const here = back.filter((step) => homeOf(step.node) === open.index && !asksLocal(step)); // no ring tells
  const texts = here.flatMap((step) => readBy(step).map((i) => savedText(i, step.node)));
  const lines = [...graph.querySelectorAll(".line")];
  const crossing = lines.length > MOST_LINES_MINDED ? [] : along(lines);
  for (const saved of new Set(texts.filter(Boolean))) ringSaved(saved, back.length <= MOST_CHIPS, crossing);
}

// The text of a forward value: that on the gate's own wire where the value is repeated or copied there.
function savedText(i, gate) {
  const operand = nodes[gate].parents.indexOf(i);
  const own = open.find(`n${gate}-w${operand}-value`);
  const bundle = open.bundles.get(Number(open.unitOf.get(i)?.slice(1)));
  if (own || open.nodes.has(i)) return own ?? open.nodes.get(i).value;
  return bundle?.one === i ? bundle.value : null;
}

// The shapes a step is about: inputs, gates, or the folds and bundles in which they stand.
function shapesOf(step) {
  if (step.node === null) return inputs.map((i) => open.find(open.unitOf.get(i) ?? `n${i}`));
  if (homeOf(step.node) !== open.index) return [open.folds.get(foldAround(open.index, step.node))?.shape];
  return step.phase === "backward" ? [] : [open.find(`n${step.node}`)];
}

function markForward(step, marked) {
  for (const { node: parent, operand } of linked(nodes[step.node])) {
    const line = lineOf({ node: step.node, operand, parent });
    if (line && !marked.has(line)) underPath(line.getAttribute("d"), "halo", "outline");
    marked.add(line);
  }
  haloNumber(step.node, "value");
}

function markBackward(step, marked, isCrowded) {
  const line = lineOf(step);
  if (!line || marked.has(line)) return;
  marked.add(line);
  const back = isCrowded ? line.getAttribute("d") : `M${wayBack(step, line).map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`;
  underPath(back, "halo", "outline", isStopped(state.sweep, step) ? "back dead" : "back");
}

// The nodes whose forward values the local derivative of a step reads as it is written.
const readBy = (step) => gateAt(state.sweep, step.node).nodesRead(step.operand);

const underPath = (d, ...kinds) => underlay.append(...kinds.map((kind) => svgElement("path", { class: kind, d })));

// A rectangle around a box, so far from it across and down.
const around = ({ x, y, width, height }, kind, across, down, rx = 0) => svgElement("rect", {
  class: kind, x: x - across, y: y - down, width: width + 2 * across, height: height + 2 * down, rx,
});

function haloShape(shape) {
  const rect = shape.querySelector("rect");
  const [box, round] = [rect.getBBox(), rect.rx.baseVal.value];
  underlay.append(around(box, "halo", 3, 3, round + 3));
  overlay.append(around(box, shape.classList.contains("input") ? "outline data" : "outline", 0, 0, round));
}

function haloNumber(i, what) {
  const box = open.nodes.get(i)?.[what].getBBox();
  if (box?.width) underlay.append(around(box, "halo number", 4, 1, 5));
}

// The ring around a forward value that the local derivative reads; its label is beside a name, where the
// fewest lines pass, or else above the number.
function ringSaved(value, isLabelled, lines) {
  const box = boxOfNumber(value.querySelector(".value"));
  if (!box.width) return;
  overlay.append(around(box, "ring", 3, 1, 6));
  if (!isLabelled) return;
  const label = svgElement("text", { class: "ring-label" }, "saved");
  overlay.append(label);
  const half = label.getComputedTextLength() / 2;
  const name = value.querySelector(".name");
  const beside = name && { from: name.getStartPositionOfChar(0), to: name.getEndPositionOfChar(name.getNumberOfChars() - 1) };
  const middle = box.x + box.width / 2;
  const places = name
    ? [{ x: beside.to.x + half + LABEL_GAP, y: beside.from.y }, { x: beside.from.x - half - LABEL_GAP, y: beside.from.y }, { x: middle, y: beside.from.y - LABEL_LINE }]
    : [{ x: middle, y: box.y - 5 }];
  const passing = ({ x, y }) => lines.filter((line) => overlap(line, { x: x - half, y: y - 11, width: 2 * half, height: 13 })).length;
  const at = places.reduce((best, place) => (passing(place) < passing(best) ? place : best));
  for (const [key, x] of Object.entries(at)) label.setAttribute(key, x);
}

// The box of a number within a text that may hold a name besides.
function boxOfNumber(part) {
  const width = part.getComputedTextLength();
  if (!width) return { width };
  const { x, y } = part.getStartPositionOfChar(0);
  return { x, y: y - 13, width, height: 17 };
}

// The way back from a gate to its operand, or to the junction or copy gate where terms are added, point
// by point.
function wayBack(step, line) {
  const unit = open.unitOf.get(step.parent) ?? `n${step.parent}`;
  const copied = open.find(`${line.id}-out`) ? line.id : null;
  const beyond = copied ?? (open.find(`${unit}-stem`) ? null : unit);
  const ids = beyond ? [`${beyond}-wire-line`, `${beyond}-out`] : [];
  if (unit.startsWith("b") && beyond === unit) ids.push(...["into", "wire-line", "out"].map((part) => `n${step.parent}-${part}`));
  const stretches = [line, ...ids.map(open.find)];
  return stretches.filter(Boolean).flatMap((stretch) => {
    const length = stretch.getTotalLength();
    const count = Math.max(2, Math.round(length / BETWEEN_POINTS));
    return Array.from({ length: count + 1 }, (_, i) => stretch.getPointAtLength(length * (1 - i / count)));
  });
}

// The product on an active wire, upstream × local = contribution, set where it hides least.

const MOST_CHIPS = 3;
const MOST_LINES_MINDED = 120; // of a larger drawing, lines that are not active may be covered
const BETWEEN_POINTS = 4; // pixels
const BETWEEN_PLACES = 6; // points of a way, beside which a chip may stand
const NEAR = 90; // pixels before the gate, of a long line: it passes much else
const ALONG = 0.25; // what a pixel along the way costs
const COVERED = 300; // pixels that a chip rather moves away than cover any of a node or of another chip
const AWAY = 0.9; // what a pixel of distance costs, where a square pixel covered costs 1
const CUT = 12; // what each of the small boxes of a leader costs that lies on another line or node
const CROSSED = 0.35; // how much less it matters to cover a line that is not active

function drawChips(active) {
  const backward = active.filter((step) => step.phase === "backward" && lineOf(step));
  const taken = [];
  if (backward.length <= MOST_CHIPS) for (const step of backward) placeChip(makeChip(step), step, taken);
  else if (backward.every((step) => step.node === backward[0].node)) placeChip(chipOfMany(backward), backward[0], taken);
}

// The pieces of a chip: each a text in the colour of what it is.
function makeChip(step) {
  const { sweep } = state;
  const { upstream, local, contribution } = sweep.factors(step);
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

// Put the pieces side by side, and the frame around the local derivative; return width and height.
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
  sized(chip.querySelector(".paper"), 0, 0, x + 3, 28);
  return { width: x + 3, height: 28 };
}

function sized(rect, x, y, width, height) {
  for (const [key, value] of Object.entries({ x, y, width, height, rx: 6 })) rect.setAttribute(key, value);
}

// Of several places beside the way back, take the one that covers least.
function placeChip(chip, step, taken) {
  overlay.append(chip);
  const { width, height } = setOut(chip);
  const { width: right, height: bottom } = graph.viewBox.baseVal;
  const nodes = [...graph.querySelectorAll(".node > rect:not(.hit)")].map((shape) => shape.getBBox());
  const obstacles = [...occupied(), ...along(underlay.querySelectorAll(".back"))];
  const lines = [...graph.querySelectorAll(".line")];
  const others = lines.length > MOST_LINES_MINDED ? [] : along(lines);
  let best = null;
  for (const { place, off } of placesBeside(step)) {
    for (const dy of [0, -34, 34, -48, 48, -64, 64, -84, 84, -110, 110, -140, 140, -180, 180, -230, 230, -280, 280]) {
      for (const dx of [0, -30, 30, -60, 60, -100, 100, -150, 150, -200, 200, -260, 260]) {
        const away = AWAY * Math.hypot(dx, dy) + ALONG * off;
        if (best && away >= best.cost) continue;
        const box = {
          x: Math.min(Math.max(place.x - width / 2 + dx, 2), Math.max(right - width - 2, 2)),
          y: Math.min(Math.max(place.y - height / 2 + dy, 2), bottom - height - 2),
          width,
          height,
        };
        const hidden = obstacles.reduce((sum, other) => sum + overlap(box, other), 0);
        const crossed = others.reduce((sum, other) => sum + overlap(box, other), 0);
        const covered = [...nodes, ...taken].filter((other) => overlap(box, other)).length;
        const beside = hidden + CROSSED * crossed + COVERED * covered + away;
        if (best && beside >= best.cost) continue;
        const cost = beside + CUT * leader(place, box).filter((point) => [...nodes, ...others].some((other) => overlap(point, other))).length;
        if (!best || cost < best.cost) best = { cost, box, place };
      }
    }
  }
  const { box, place } = best;
  taken.push(box);
  chip.setAttribute("transform", `translate(${box.x.toFixed(1)},${box.y.toFixed(1)})`);
  const edge = edgeOf(box, place);
  underPath(`M${place.x},${place.y}L${edge.x},${edge.y}`, "leader");
}

// Places on the way back, the middle of the line into the gate first; of a long line, one near the gate.
function placesBeside(step) {
  const line = lineOf(step);
  const length = line.getTotalLength();
  const share = open.find(`${line.id}-tap`) ? 0.1 : 0.5; // clear of the number on a tap
  const wanted = Math.min(length * share, NEAR) / BETWEEN_POINTS;
  const places = wayBack(step, line).map((place, k) => ({ place, off: Math.abs(k - wanted) * BETWEEN_POINTS }));
  return places.sort((a, b) => a.off - b.off).filter((_, k) => k % BETWEEN_PLACES === 0);
}

const clamp = (x, from, size) => Math.min(Math.max(x, from), from + size);
const edgeOf = (box, { x, y }) => ({ x: clamp(x, box.x, box.width), y: clamp(y, box.y, box.height) });

// Small boxes along the line from a place to a chip, but for its first ones, which are on the wire itself.
function leader(place, box) {
  const edge = edgeOf(box, place);
  const count = Math.floor(Math.hypot(edge.x - place.x, edge.y - place.y) / 8);
  const at = (i) => ({ x: place.x + ((edge.x - place.x) * i) / count, y: place.y + ((edge.y - place.y) * i) / count });
  return Array.from({ length: Math.max(count - 2, 0) }, (_, i) => ({ ...at(i + 2), width: 1, height: 1 }));
}

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
