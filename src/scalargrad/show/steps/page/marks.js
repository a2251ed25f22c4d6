// Mark the active parts of the open drawing: halos, outlines, rings, and the arrow back.

const LABEL_GAP = 7; // pixels between a name and the label "saved" next to it
const LABEL_LINE = 16; // pixels between a name and the label "saved" above it
const MAX_FOLLOWED = 24; // maximum number of wires with arrows; of more, only the lines are marked

// Draw the amber halo and the dark outline of the active shapes of a stop.
function highlight(active) {
  const marked = new Set();
  const back = active.filter((step) => step.phase === "backward");
  const isCrowded = new Set(back.map(lineOf)).size > MAX_FOLLOWED;
  const shapes = active.flatMap((step) => shapesOf(step));
  for (const shape of new Set(shapes.filter(Boolean))) haloShape(shape);
  for (const step of active) {
    if (step.node === null) continue;
    if (step.phase === "forward") markForward(step, marked);
    else if (step.phase === "seed") haloNumber(step.node, "gradient");
    else markBackward(step, marked, isCrowded);
  }
  if (back.length <= MAX_FOLLOWED) markSaved(back);
  markAlarm();
}

// Draw a warning sign at the first node that is inf or nan, or at its bundle or subgraph.
function markAlarm() {
  const { alarm } = state.sweep;
  if (!alarm || !isDone(alarm.at)) return;
  const subgraph = subgraphAt(open.index, alarm.node);
  const shape = open.find(open.sourceOf.get(alarm.node) ?? `n${alarm.node}`) ?? open.subgraphs.get(subgraph)?.shape;
  const box = shape?.querySelector("rect").getBBox();
  if (!box) return;
  overlay.append(
    outlineAround(box, "alarm", 4, 4),
    svgElement("path", { class: "alarm-sign", d: `M${box.x - 12},${box.y + 7}l9,-17l9,17z` }),
    svgElement("text", { class: "alarm-text", x: box.x - 3, y: box.y + 5 }, "!"),
  );
}

// Ring the forward values that the local derivatives of these steps read.
function markSaved(back) {
  const here = back.filter((step) => drawingOf(step.node) === open.index && !asksLocal(step)); // a ring would give the answer away
  const texts = here.flatMap((step) => nodesReadBy(step).map((i) => savedText(i, step.node)));
  const lines = [...graph.querySelectorAll(".line")];
  const crossing = lines.length > MAX_AVOIDED_LINES ? [] : boxesAlong(lines);
  for (const saved of new Set(texts.filter(Boolean))) ringSaved(saved, back.length <= MAX_CHIPS, crossing);
}

// The text of a forward value: on the gate's own wire if the value is repeated or copied there.
function savedText(i, gate) {
  const operand = nodes[gate].parents.indexOf(i);
  const own = open.find(`n${gate}-w${operand}-value`);
  const bundle = open.bundles.get(Number(open.sourceOf.get(i)?.slice(1)));
  if (own || open.nodes.has(i)) return own ?? open.nodes.get(i).value;
  return bundle?.one === i ? bundle.value : null;
}

// The active shapes of a step: inputs, gates, or their subgraphs and bundles.
function shapesOf(step) {
  if (step.node === null) return inputs.map((i) => open.find(open.sourceOf.get(i) ?? `n${i}`));
  if (drawingOf(step.node) !== open.index) return [open.subgraphs.get(subgraphAt(open.index, step.node))?.shape];
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
  const back = isCrowded ? line.getAttribute("d") : `M${pathBack(step, line).map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`;
  underPath(back, "halo", "outline", isStopped(state.sweep, step) ? "back dead" : "back");
}

// The nodes whose forward values the displayed local derivative of a step reads.
const nodesReadBy = (step) => gateAt(state.sweep, step.node).nodesRead(step.operand);

const underPath = (d, ...kinds) => underlay.append(...kinds.map((kind) => svgElement("path", { class: kind, d })));

// A rectangle around a box, at distances across and down.
const outlineAround = ({ x, y, width, height }, kind, across, down, rx = 0) => svgElement("rect", {
  class: kind, x: x - across, y: y - down, width: width + 2 * across, height: height + 2 * down, rx,
});

function haloShape(shape) {
  const rect = shape.querySelector("rect");
  const [box, round] = [rect.getBBox(), rect.rx.baseVal.value];
  underlay.append(outlineAround(box, "halo", 3, 3, round + 3));
  overlay.append(outlineAround(box, shape.classList.contains("input") ? "outline data" : "outline", 0, 0, round));
}

function haloNumber(i, what) {
  const box = open.nodes.get(i)?.[what].getBBox();
  if (box?.width) underlay.append(outlineAround(box, "halo number", 4, 1, 5));
}

// Draw a ring around a forward value that the local derivative reads. Its label is next to the name, where
// the fewest lines pass, or above a number without a name.
function ringSaved(value, isLabelled, lines) {
  const box = boxOfNumber(value.querySelector(".value"));
  if (!box.width) return;
  overlay.append(outlineAround(box, "ring", 3, 1, 6));
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

// The box of a number within a text that may also have a name.
function boxOfNumber(part) {
  const width = part.getComputedTextLength();
  if (!width) return { width };
  const { x, y } = part.getStartPositionOfChar(0);
  return { x, y: y - 13, width, height: 17 };
}

// The points of the path back from a gate to its operand, or to the junction or copy gate where terms are
// added.
function pathBack(step, line) {
  const unit = open.sourceOf.get(step.parent) ?? `n${step.parent}`;
  const copied = open.find(`${line.id}-out`) ? line.id : null;
  const beyond = copied ?? (open.find(`${unit}-stem`) ? null : unit);
  const ids = beyond ? [`${beyond}-wire-line`, `${beyond}-out`] : [];
  if (unit.startsWith("b") && beyond === unit) ids.push(...["into", "wire-line", "out"].map((part) => `n${step.parent}-${part}`));
  const stretches = [line, ...ids.map(open.find)];
  return stretches.filter(Boolean).flatMap((stretch) => {
    const length = stretch.getTotalLength();
    const count = Math.max(2, Math.round(length / POINT_SPACING));
    return Array.from({ length: count + 1 }, (_, i) => stretch.getPointAtLength(length * (1 - i / count)));
  });
}

// The product on an active wire, upstream × local = contribution, placed where it hides least.

const MAX_CHIPS = 3;
const MAX_AVOIDED_LINES = 120; // in a drawing with more lines, chips may cover inactive ones
const POINT_SPACING = 4; // pixels between points of a path
const CANDIDATE_SPACING = 6; // points of a path between candidate places of a chip
const MAX_CHIP_DISTANCE = 90; // maximum distance from the gate along a long line, in pixels
const ALONG_COST = 0.25; // cost of a pixel along the path
const COVER_COST = 300; // cost of covering any part of a node or of another chip
const DISTANCE_COST = 0.9; // cost of a pixel of distance; a covered square pixel costs 1
const LEADER_COST = 12; // cost of each small box of a leader on another line or node
const LINE_COST = 0.35; // cost of a covered square pixel of an inactive line

function drawChips(active) {
  const backward = active.filter((step) => step.phase === "backward" && lineOf(step));
  const taken = [];
  if (backward.length <= MAX_CHIPS) for (const step of backward) placeChip(makeChip(step), step, taken);
  else if (backward.every((step) => step.node === backward[0].node)) placeChip(makeSummaryChip(backward), backward[0], taken);
}

// A chip with the factors and the product of a step, each in the colour of its kind.
function makeChip(step) {
  const { sweep } = state;
  const { upstream, local, contribution } = sweep.factors(step);
  const isAsked = questionStep() === step;
  const sign = isAsked ? "=" : productRelation(upstream, local, contribution);
  const pieces = [
    ["gradient", number(upstream)],
    ["sign", "×"],
    ["local", asksLocal(step) ? "?" : local < 0 ? `(${number(local)})` : number(local)],
    ["sign", sign],
    ["gradient result", isAsked ? "?" : number(contribution)],
  ];
  if (isStopped(sweep, step) && !isAsked) pieces.push(["stops", "stops here"]);
  return createChip(pieces);
}

// A chip for many wires: the upstream gradient, and the number of local derivatives.
function makeSummaryChip(backward) {
  const upstream = state.sweep.adjoints[backward[0].node];
  return createChip([["gradient", number(upstream)], ["sign", "×"], ["local", `${backward.length} locals`]]);
}

function createChip(pieces) {
  const texts = pieces.map(([kind, text]) => svgElement("text", { class: kind }, text));
  return svgElement("g", { class: "chip" }, svgElement("rect", { class: "paper" }), svgElement("rect", { class: "frame" }), ...texts);
}

// Place the texts of a chip side by side, with a frame around the local derivative; return its size.
function layOutChip(chip) {
  let x = 10;
  for (const text of chip.querySelectorAll("text")) {
    const isLocal = text.classList.contains("local");
    if (isLocal) x += 5;
    text.setAttribute("x", x);
    text.setAttribute("y", 19);
    const width = text.getComputedTextLength();
    if (isLocal) setRectangle(chip.querySelector(".frame"), x - 5, 4, width + 10, 20);
    x += width + (isLocal ? 12 : 7);
  }
  setRectangle(chip.querySelector(".paper"), 0, 0, x + 3, 28);
  return { width: x + 3, height: 28 };
}

function setRectangle(rect, x, y, width, height) {
  for (const [key, value] of Object.entries({ x, y, width, height, rx: 6 })) rect.setAttribute(key, value);
}

// Place a chip next to the path back, where its cost is least.
function placeChip(chip, step, taken) {
  overlay.append(chip);
  const { width, height } = layOutChip(chip);
  const { width: right, height: bottom } = graph.viewBox.baseVal;
  const nodes = [...graph.querySelectorAll(".node > rect:not(.hit)")].map((shape) => shape.getBBox());
  const obstacles = [...occupiedBoxes(), ...boxesAlong(underlay.querySelectorAll(".back"))];
  const lines = [...graph.querySelectorAll(".line")];
  const others = lines.length > MAX_AVOIDED_LINES ? [] : boxesAlong(lines);
  let best = null;
  for (const { place, off } of candidatePlaces(step)) {
    for (const dy of [0, -34, 34, -48, 48, -64, 64, -84, 84, -110, 110, -140, 140, -180, 180, -230, 230, -280, 280]) {
      for (const dx of [0, -30, 30, -60, 60, -100, 100, -150, 150, -200, 200, -260, 260]) {
        const away = DISTANCE_COST * Math.hypot(dx, dy) + ALONG_COST * off;
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
        const beside = hidden + LINE_COST * crossed + COVER_COST * covered + away;
        if (best && beside >= best.cost) continue;
        const cost = beside + LEADER_COST * leader(place, box).filter((point) => [...nodes, ...others].some((other) => overlap(point, other))).length;
        if (!best || cost < best.cost) best = { cost, box, place };
      }
    }
  }
  const { box, place } = best;
  taken.push(box);
  chip.setAttribute("transform", `translate(${box.x.toFixed(1)},${box.y.toFixed(1)})`);
  const edge = nearestEdgePoint(box, place);
  underPath(`M${place.x},${place.y}L${edge.x},${edge.y}`, "leader");
}

// Points of the path back, first those near the middle of the line, or near the gate on a long line.
function candidatePlaces(step) {
  const line = lineOf(step);
  const length = line.getTotalLength();
  const share = open.find(`${line.id}-tap`) ? 0.1 : 0.5; // away from the number in a pill
  const wanted = Math.min(length * share, MAX_CHIP_DISTANCE) / POINT_SPACING;
  const places = pathBack(step, line).map((place, k) => ({ place, off: Math.abs(k - wanted) * POINT_SPACING }));
  return places.sort((a, b) => a.off - b.off).filter((_, k) => k % CANDIDATE_SPACING === 0);
}

const clamp = (x, from, size) => Math.min(Math.max(x, from), from + size);
const nearestEdgePoint = (box, { x, y }) => ({ x: clamp(x, box.x, box.width), y: clamp(y, box.y, box.height) });

// Small boxes along the line from a place to a chip, without the first ones, which are on the wire.
function leader(place, box) {
  const edge = nearestEdgePoint(box, place);
  const count = Math.floor(Math.hypot(edge.x - place.x, edge.y - place.y) / 8);
  const at = (i) => ({ x: place.x + ((edge.x - place.x) * i) / count, y: place.y + ((edge.y - place.y) * i) / count });
  return Array.from({ length: Math.max(count - 2, 0) }, (_, i) => ({ ...at(i + 2), width: 1, height: 1 }));
}

function overlap(a, b) {
  const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return wide > 0 && high > 0 ? wide * high : 0;
}

// Small boxes along paths.
function boxesAlong(paths) {
  return [...paths].flatMap((path) => {
    const length = path.getTotalLength();
    return Array.from({ length: Math.ceil(length / 12) }, (_, i) => {
      const { x, y } = path.getPointAtLength(12 * i);
      return { x: x - 6, y: y - 6, width: 12, height: 12 };
    });
  });
}

// The boxes of all shapes and texts that must remain legible.
function occupiedBoxes() {
  const selected = ".node rect:not(.hit), .constant rect, .again rect, .wire text, .tap:not(.empty) rect, .fan, .ring, .ring-label";
  const boxes = [...graph.querySelectorAll(selected)].map((shape) => shape.getBBox());
  return boxes.filter((box) => box.width).map(({ x, y, width, height }) => ({ x: x - 6, y: y - 4, width: width + 12, height: height + 8 }));
}
