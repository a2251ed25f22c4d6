// The graph at a step: what is known, what is active, what has come back. The layout never moves;
// only classes, numbers and the overlay change.

const graph = $("graph");
const overlay = $("overlay"); // above the shapes: rings, arrows, products
const underlay = $("underlay"); // below them: halos and active wires

// What is pale until a node is computed: its shape, its wire, the lines that lead into it.
const parts = nodes.map((_, i) => [
  ...graph.querySelectorAll(`[id^="n${i}-w"], #n${i}, #n${i}-out, #n${i}-stem, #n${i}-fan`),
]);

const lineOf = (step) => $(`n${step.node}-w${step.operand}`);

// How many terms of a node's gradient have arrived when a step is over.
function arrivedAt(index) {
  const arrived = nodes.map(() => 0);
  for (const step of steps.slice(0, index + 1)) if (step.phase === "backward") arrived[step.parent] += 1;
  return arrived;
}

function drawGraph() {
  const index = reached();
  const arrived = arrivedAt(index);
  const active = shownSteps().map((i) => steps[i]);
  const asked = state.question?.isOpen ? state.question.step : null;
  for (const i of nodes.keys()) drawNode(i, index, arrived[i], asked);
  for (const [i, step] of steps.entries()) {
    if (step.phase === "backward") drawWireBack(step, i, i <= index, step === asked);
  }
  clearLayers();
  for (const step of active) highlight(step);
  drawChips(active);
  $("stage").classList.toggle("greyed", Boolean(state.undefined));
}

function clearLayers() {
  overlay.replaceChildren();
  underlay.replaceChildren();
}

function drawNode(i, index, arrived, asked) {
  const known = knownAt[i] <= index;
  const shape = $(`n${i}`);
  for (const part of parts[i]) part.classList.toggle("todo", !known);
  const value = $(`n${i}-value`);
  const name = value.querySelector(".name");
  if (name && !name.classList.contains("above")) name.textContent = nodeLabels[i] + (known ? " = " : "");
  value.querySelector(".value").textContent = known ? shown(state.sweep.data[i]) : "";
  const isComplete = i === root ? index >= seedAt : wires[i] > 0 && arrived === wires[i];
  for (const id of ["out", "wire-line", "stem"]) $(`n${i}-${id}`)?.classList.toggle("passed", isComplete && asked?.parent !== i);
  const gradient = asked && asked.parent === i ? askedGradient(i, arrived) : gradientText(i, index, arrived);
  $(`n${i}-gradient`).textContent = gradient;
  shape.setAttribute("aria-label", describeNode(shape.textContent, i, known, gradient));
}

// The gradient of a node as far as it has come: Σ 1/2 until every term has arrived.
function gradientText(i, index, arrived) {
  if (i === root) return index >= seedAt ? "1" : "";
  if (!arrived) return "";
  if (arrived < wires[i]) return `Σ ${arrived}/${wires[i]}`;
  return shown(state.sweep.total(i, arrived));
}

const askedGradient = (i, arrived) => (wires[i] > 1 ? `Σ ${arrived - 1}/${wires[i]}` : "?");

// A number with the minus sign of print, as it stands in the graph.
const shown = (x) => number(x).replaceAll("-", "−");

// A node's accessible name; it begins with what is seen in the node.
function describeNode(seen, i, known, gradient) {
  const node = nodes[i];
  const value = known ? ` = ${number(state.sweep.data[i])}` : ", not computed yet";
  return `${seen}, ${node.kind}: ${node.name}${value}${gradient ? `, gradient ${gradient}` : ""}`;
}

function drawWireBack(step, index, passed, isAsked) {
  const line = lineOf(step);
  const dead = passed && !isAsked && state.sweep.locals[step.node][step.operand] === 0;
  line.classList.toggle("passed", passed && !dead);
  line.classList.toggle("dead", dead);
  const tap = $(`${line.id}-tap`);
  if (!tap) return;
  const contribution = state.sweep.contributions[index];
  tap.querySelector("text").textContent = !passed ? "" : isAsked ? "?" : shown(contribution);
  tap.classList.toggle("empty", !passed);
}

// The amber halo and the dark outline of what a step is about.
function highlight(step) {
  if (step.node === null) {
    for (const i of inputs) haloShape($(`n${i}`));
  } else if (step.phase === "forward") {
    haloShape($(`n${step.node}`));
    for (const { operand } of linked(nodes[step.node])) haloPath(lineOf({ ...step, operand }));
    haloNumber(step.node, "value");
  } else if (step.phase === "seed") {
    haloNumber(step.node, "gradient");
    haloShape($(`n${step.node}`));
  } else {
    const back = wayBack(step);
    const stops = state.sweep.locals[step.node][step.operand] === 0 ? "back dead" : "back";
    for (const kind of ["halo", "outline", stops]) underlay.append(svgElement("path", { class: kind, d: back }));
    const reads = gates[nodes[step.node].gate].reads[step.operand];
    const read = reads.map((k) => (k < 0 ? step.node : nodes[step.node].parents[k]));
    for (const i of new Set(read.filter((x) => typeof x === "number"))) ringSaved(i);
  }
}

function haloPath(line) {
  underlay.append(
    svgElement("path", { class: "halo", d: line.getAttribute("d") }),
    svgElement("path", { class: "outline", d: line.getAttribute("d") }),
  );
}

function haloShape(shape) {
  const box = shape.querySelector("rect");
  const around = (class_, gap) => svgElement("rect", {
    class: class_,
    x: box.x.baseVal.value - gap,
    y: box.y.baseVal.value - gap,
    width: box.width.baseVal.value + 2 * gap,
    height: box.height.baseVal.value + 2 * gap,
    rx: box.rx.baseVal.value + gap,
  });
  underlay.append(around("halo", 3));
  overlay.append(around("outline", 0));
}

function haloNumber(i, what) {
  const box = $(`n${i}-${what}`).getBBox();
  if (!box.width) return;
  underlay.append(svgElement("rect", {
    class: "halo number", x: box.x - 4, y: box.y - 1, width: box.width + 8, height: box.height + 2, rx: 5,
  }));
}

// The ring around a forward value that the local derivative reads.
function ringSaved(i) {
  const wire = $(`n${i}-value`);
  const box = boxOfNumber(wire.querySelector(".value"));
  if (!box.width) return;
  const rise = wire.querySelector(".name.above") ? 19 : 5; // clear of a name above the number
  overlay.append(
    svgElement("rect", {
      class: "ring", x: box.x - 3, y: box.y - 1, width: box.width + 6, height: box.height + 2, rx: 6,
    }),
    svgElement("text", { class: "ring-label", x: box.x + box.width / 2, y: box.y - rise }, "saved"),
  );
}

// The box of a number within a text that may hold a name besides.
function boxOfNumber(part) {
  const width = part.getComputedTextLength();
  if (!width) return { width };
  const { x, y } = part.getStartPositionOfChar(0);
  return { x, y: y - 13, width, height: 17 };
}

// The way back from a gate to its operand, or to the junction where terms are added.
function wayBack(step) {
  const stretches = [lineOf(step)];
  if (wires[step.parent] === 1) stretches.push($(`n${step.parent}-wire-line`), $(`n${step.parent}-out`));
  const points = stretches.flatMap((line) => {
    const length = line.getTotalLength();
    const count = Math.max(2, Math.round(length / 4));
    return Array.from({ length: count + 1 }, (_, i) => line.getPointAtLength(length * (1 - i / count)));
  });
  return `M${points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`;
}

// An arrow runs once along each active wire, right to left; without motion it stands in its middle.
let travelling = 0;
function travel() {
  travelling += 1;
  const run = travelling;
  const backs = [...underlay.querySelectorAll(".back")];
  if (!backs.length) return;
  const arrows = backs.map((path) => ({ path, length: path.getTotalLength(), arrow: svgElement("path", { class: "arrow", d: "M-5,-5L6,0L-5,5z" }) }));
  for (const { arrow } of arrows) overlay.append(arrow);
  const place = (share) => {
    for (const { path, length, arrow } of arrows) {
      const at = path.getPointAtLength(length * share);
      const before = path.getPointAtLength(Math.max(0, length * share - 2));
      const after = path.getPointAtLength(Math.min(length, length * share + 2));
      const angle = Math.atan2(after.y - before.y, after.x - before.x) * (180 / Math.PI);
      arrow.setAttribute("transform", `translate(${at.x},${at.y}) rotate(${angle})`);
    }
  };
  place(0.25);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const began = performance.now();
  const frame = (now) => {
    if (run !== travelling) return;
    const share = Math.min(1, (now - began) / 600);
    place(share < 1 ? share : 0.25);
    if (share < 1) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
