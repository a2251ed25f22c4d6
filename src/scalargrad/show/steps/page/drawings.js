// The drawings of a walk: one of the whole graph or, if that is large, one for each subgraph. One is open
// at a time; the others are stored as text. The layout of a drawing never changes.

const viewport = $("viewport");
const drawings = recorded.drawings;
for (const [k, drawing] of drawings.entries()) for (const i of drawing.nodes ?? []) nodes[i].home = k;
const drawingOf = (i) => (i === null ? 0 : nodes[i].home ?? 0); // the index of the drawing with a node

// The gates in each drawing and in the drawings of its subgraphs.
for (const drawing of drawings) drawing.gates = [];
for (const [i, node] of nodes.entries()) if (node.gate) for (const at of pathTo(drawingOf(i))) drawings[at].gates.push(i);

let graph = null;
let overlay = null; // above the shapes: rings, arrows, products
let underlay = null; // below them: halos and active wires
let open = null; // the open drawing: see indexDrawing

const opened = new Map(); // tables by form and drawing, created when a drawing is first opened

// Open a drawing by its index, in the selected form: with junctions or with copy gates.
function openDrawing(index) {
  const form = state.copies && drawings[index].copies ? "copies" : "svg";
  const key = `${form} ${index}`;
  if (open?.key === key) return false;
  if (!opened.has(key)) opened.set(key, indexDrawing(index, key, form));
  open = opened.get(key);
  viewport.replaceChildren(open.svg);
  [graph, overlay, underlay] = [open.svg, $("overlay"), $("underlay")];
  return true;
}

// The shapes of a drawing by node, bundle and subgraph, and the steps of each of its lines.
function indexDrawing(index, key, form) {
  const { [form]: stored = null } = drawings[index];
  const svg = stored === null ? $("graph") : parseSvg(stored.slots ? fillSvgTemplate(stored) : stored);
  const { subgraphs = [], bundles = [] } = form === "copies" ? {} : drawings[index];
  const ids = new Map([...svg.querySelectorAll("[id]")].map((shape) => [shape.id, shape]));
  const table = { key, index, svg, find: (id) => ids.get(id) ?? null, nodes: new Map(), bundles: new Map(), subgraphs: new Map(), lines: new Map() };
  table.sourceOf = new Map(); // the id of the bundle of a node, which its wires leave
  for (const [b, members] of bundles.entries()) for (const i of members) table.sourceOf.set(i, `b${b}`);
  for (const text of svg.querySelectorAll("text[id$='-value']")) {
    const found = /^n(\d+)-value$/.exec(text.id);
    if (found) table.nodes.set(Number(found[1]), indexNode(table, Number(found[1])));
  }
  for (const [b, members] of bundles.entries()) table.bundles.set(b, { members, ...findTexts(table, `b${b}`), number: table.find(`b${b}-value`).querySelector(".value") });
  for (const f of subgraphs) table.subgraphs.set(f, { shape: table.find(`f${f}`), lines: [...svg.querySelectorAll(`[id^="f${f}-"]`)] });
  for (const [k, step] of steps.entries()) {
    if (step.phase !== "backward" || !(table.nodes.has(step.parent) || table.sourceOf.has(step.parent))) continue;
    const line = table.find(lineId(table, step));
    if (!line) continue;
    if (!table.lines.has(line)) table.lines.set(line, []);
    table.lines.get(line).push(k);
  }
  return table;
}

// The SVG of a drawing: equal drawings share a template, with slots for ids and texts.
const fillSvgTemplate = ({ template, slots }) => recorded.templates[template].replaceAll(/\{(\d+)\}/g, (_, k) => slots[k]);

function parseSvg(text) {
  const holder = document.createElement("div");
  holder.innerHTML = text;
  return holder.firstElementChild;
}

const findTexts = (table, unit) => ({
  shape: table.find(unit), value: table.find(`${unit}-value`), gradient: table.find(`${unit}-gradient`),
});

function indexNode(table, i) {
  const texts = findTexts(table, `n${i}`);
  const into = nodes[i].parents.flatMap((_, k) => [table.find(`n${i}-w${k}`), table.find(`n${i}-w${k}-tap`), table.find(`n${i}-c${k}`)]);
  const own = ["", "-out", "-wire", "-stem", "-fan", "-into"].map((part) => table.find(`n${i}${part}`));
  const parts = [...own, ...into, table.find(`exit-n${i}`), ...table.svg.querySelectorAll(`[id^="n${i}-b"]`)].filter(Boolean);
  const paths = ["out", "wire-line", "stem", "into"].map((part) => table.find(`n${i}-${part}`)).filter(Boolean);
  return { ...texts, parts, paths, wire: table.find(`n${i}-wire-line`), number: texts.value.querySelector(".value") };
}

// The id of the line of a wire: its own, or that of a bundle, a subgraph or an exit.
function lineId(table, { node, operand, parent }) {
  const unit = table.sourceOf.get(parent) ?? `n${parent}`;
  if (drawingOf(node) === table.index) return unit.startsWith("b") ? `n${node}-${unit}` : `n${node}-w${operand}`;
  const subgraph = subgraphAt(table.index, node);
  if (subgraph === null) return `exit-${unit}`;
  return subgraphAt(table.index, parent) === subgraph && drawingOf(parent) !== table.index ? "" : `f${subgraph}-${unit}`;
}

// The subgraph in a drawing that has a node at any depth; null if none has.
function subgraphAt(index, node) {
  let at = drawingOf(node);
  while (at !== null && drawings[at].parent !== index) at = drawings[at].parent;
  return at;
}

const lineOf = (step) => open.find(lineId(open, step));

// The drawing to open for a stop: the one with its gates or, if they are a whole layer, the one around it.
function drawingFor(stop) {
  const [common, layer] = [commonDrawing(stop), layerOf(stop)];
  const isLayer = layer !== null && drawings[common].gates.every((i) => layer.members.has(i));
  return isLayer ? drawings[common].parent ?? common : common;
}

// The innermost drawing with all gates of a stop.
function commonDrawing(stop) {
  const paths = stop.map((k) => pathTo(drawingOf(steps[k].node)));
  let depth = 0;
  while (paths.every((path) => path.length > depth && path[depth] === paths[0][depth])) depth += 1;
  return paths[0][depth - 1];
}

// The indices of a drawing and of those around it, the outermost first.
function pathTo(index) {
  const path = [];
  for (let at = index; at !== null; at = drawings[at].parent) path.unshift(at);
  return path;
}

const pathInWords = (index) => pathTo(index).map((at) => drawings[at].title).join(" › ");

// Open a drawing on request; the next step opens its own drawing again.
function visit(index) {
  if (!openDrawing(index)) return;
  drawingOpened();
  const here = $("path").querySelector("[aria-current]");
  if (document.activeElement === document.body || !document.activeElement) here.focus();
  announce(`Opened ${pathInWords(index)}.`);
}

function goUp() {
  const { parent } = drawings[open.index];
  if (parent !== null) visit(parent);
}

function drawPath() {
  $("subgraphs").hidden = drawings.length === 1;
  if (drawings.length === 1) return;
  const crumbs = pathTo(open.index).map((at) => element("li", {}, element(
    "button",
    { type: "button", "aria-current": at === open.index ? "location" : false, onclick: () => visit(at) },
    drawings[at].title,
  )));
  const focused = $("path").contains(document.activeElement);
  $("path").replaceChildren(...crumbs);
  $("path").scrollLeft = $("path").scrollWidth;
  if (focused) $("path").querySelector("[aria-current]").focus();
  $("up").disabled = open.index === 0;
}

// The open drawing at a step: the values and gradients computed so far, and the active shapes. Only
// classes, numbers and the overlay change.

const MIN_LONG_NUMBER = 8; // characters of a number that may be longer than its wire
const MIN_NUMBER_SHARE = 0.7; // minimum scale of a number

// The number of terms of each node's gradient so far.
function countArrivedTerms() {
  const arrived = nodes.map(() => 0);
  for (const [k, step] of steps.entries()) if (step.phase === "backward" && isDone(k)) arrived[step.parent] += 1;
  return arrived;
}

// Whether a gradient is complete.
const isComplete = (i, arrived) => (i === root ? isDone(seedAt) : wires[i] > 0 && arrived[i] === wires[i]);

const questionStep = () => (state.question?.isOpen ? state.question.step : null);

function drawGraph() {
  const arrived = countArrivedTerms();
  const active = currentSteps().map((k) => steps[k]);
  for (const [i, shapes] of open.nodes) drawNode(i, shapes, arrived);
  for (const [b, bundle] of open.bundles) drawBundle(b, bundle, arrived, active);
  for (const [f, shapes] of open.subgraphs) drawSubgraph(f, shapes);
  for (const [line, carried] of open.lines) drawWireBack(line, carried);
  clearLayers();
  highlight(active);
  drawChips(active);
  $("stage").classList.toggle("greyed", Boolean(state.undefined));
}

function clearLayers() {
  overlay.replaceChildren();
  underlay.replaceChildren();
}

function drawNode(i, { parts, paths, wire, number: text, gradient, shape }, arrived) {
  const known = isDone(knownAt[i]);
  for (const part of parts) part.classList.toggle("todo", !known);
  text.textContent = known ? computedText(i) : "";
  fitNumber(text, wire);
  const asked = questionStep();
  const passed = isComplete(i, arrived) && asked?.parent !== i;
  for (const path of paths) path.classList.toggle("passed", passed);
  const back = asked && asked.parent === i ? hiddenGradient(i, arrived[i]) : gradientText(i, arrived);
  gradient.textContent = back;
  fitNumber(gradient, wire);
  shape?.setAttribute("aria-label", describeNode(nodes[i].gate ? shape.textContent : nodes[i].name, i, known, back));
}

// Reduce the font size of a number that is longer than its wire, such as −1.235e−300.
function fitNumber(text, wire) {
  text.style.fontSize = "";
  if (!wire || text.textContent.length < MIN_LONG_NUMBER) return;
  const share = (roomOf(wire) - 4) / text.getComputedTextLength();
  if (share < 1) text.style.fontSize = `${(parseFloat(getComputedStyle(text).fontSize) * Math.max(share, MIN_NUMBER_SHARE)).toFixed(1)}px`;
}

const roomOf = (wire) => (wire.localName === "rect" ? wire.width.baseVal.value : wire.getTotalLength());

// The gradient of a node so far: 0.5 + ? until it is complete.
function gradientText(i, arrived) {
  if (isComplete(i, arrived)) return number(state.sweep.total(i));
  return arrived[i] ? partialSum(state.sweep.total(i, arrived[i])) : "";
}

const partialSum = (sum) => `${number(sum)} + ?`;
const hiddenGradient = (i, arrived) => (arrived > 1 ? partialSum(state.sweep.total(i, arrived - 1)) : "?");

// The value of a node, after ≈ if it is rounded.
const computedText = (i) => (nodes[i].gate ? valueText(i).replace("= ", "") : number(state.sweep.data[i]));

const valueText = (i) => `${valueSign(i)} ${number(state.sweep.data[i])}`;

// The sign between a name and its value: ≈ if the value is rounded.
const valueSign = (i) => loosest(relation(state.sweep.data[i]), nodes[i].gate ? gateAt(state.sweep, i).relation : "=");

// The accessible name of a node, which begins with its visible text.
function describeNode(seen, i, known, gradient) {
  const node = nodes[i];
  const value = known ? ` ${valueText(i)}` : ", not computed yet";
  return `${seen}, ${node.kind}: ${node.name}${value}${gradient ? `, gradient ${gradient}` : ""}`;
}

// A bundle, several values on one wire: the number of the active one, or a count.
function drawBundle(b, { members, shape, number: text, gradient }, arrived, active) {
  const known = members.filter((i) => isDone(knownAt[i])).length;
  const complete = members.filter((i) => isComplete(i, arrived)).length;
  for (const part of ["", "-out", "-wire", "-stem", "-fan"]) open.find(`b${b}${part}`)?.classList.toggle("todo", !known);
  open.find(`exit-b${b}`)?.classList.toggle("todo", !known);
  for (const part of ["-out", "-wire-line", "-stem"]) open.find(`b${b}${part}`)?.classList.toggle("passed", complete === members.length);
  const one = activeMember(members, active);
  open.bundles.get(b).one = one;
  text.textContent = one === null ? formatCount(known, "value", members.length) : withLowIndices(`${nodes[one].name} ${valueText(one)}`);
  const asked = questionStep()?.parent === one;
  const back = one === null ? "" : asked ? hiddenGradient(one, arrived[one]) : gradientText(one, arrived);
  gradient.textContent = back || formatCount(complete, "gradient", members.length);
  shape.setAttribute("aria-label", `${shape.textContent}: ${members.length} wires drawn as one; opens their list`);
}

// A count as text: "", "3/16 values" or "16 values".
function formatCount(count, noun, all) {
  return count ? `${count === all ? count : `${count}/${all}`} ${noun}s` : "";
}

// The only one of several nodes that is active in the current steps, or whose value they read; else null.
function activeMember(members, active) {
  const [step] = active;
  const here = (found) => {
    const among = [...new Set(found)].filter((i) => members.includes(i) && isDone(knownAt[i]));
    return among.length === 1 ? among[0] : null;
  };
  if (step.phase !== "backward") return here(active.map(({ node }) => node));
  return here(active.map(({ parent }) => parent)) ?? here(active.flatMap(nodesReadBy));
}

function drawSubgraph(f, { shape, lines }) {
  const begun = !drawings[f].gates.length || drawings[f].gates.some((i) => isDone(knownAt[i]));
  for (const part of [shape, ...lines]) part.classList.toggle("todo", !begun);
}

function drawWireBack(line, carried) {
  const asked = questionStep();
  const done = carried.filter((k) => isDone(k));
  const isAsked = asked !== null && carried.some((k) => steps[k] === asked);
  const all = done.length === carried.length && !isAsked;
  const dead = all && carried.every((k) => isStopped(state.sweep, steps[k]));
  line.classList.toggle("passed", all && !dead);
  line.classList.toggle("dead", dead);
  drawContribution(line, done, carried, isAsked);
}

// The contribution along a line: in its pill, or on the wire of its copy or repeated name; for several
// values on one line, the numbers of values and of terms.
function drawContribution(line, done, carried, isAsked) {
  const tap = open.find(`${line.id}-tap`);
  const copy = open.find(`${line.id}-gradient`);
  if (!tap && !copy) return;
  const members = [...new Set(carried.map((k) => steps[k].parent))];
  const known = members.filter((i) => isDone(knownAt[i])).length;
  const isOne = members.length === 1;
  const sum = done.reduce((total, k) => total + state.sweep.contributions[k], 0);
  const whole = isAsked ? "?" : number(sum);
  const arrived = !done.length ? "" : done.length === carried.length ? whole : partialSum(sum);
  const place = copy ?? tap.querySelector("text");
  place.textContent = isOne ? arrived : formatCount(done.length, "term", carried.length);
  fitNumber(place, copy ? open.find(`${line.id}-wire-line`) : tap.querySelector("rect"));
  tap?.classList.toggle("empty", !done.length);
  if (copy) drawWireAgain(line, known > 0, !isOne ? formatCount(known, "value", members.length) : known ? computedText(members[0]) : "");
}

// The wire of a copy or a repeated name, which continues its line.
function drawWireAgain(line, known, value) {
  const place = open.find(`${line.id}-value`).querySelector(".value");
  place.textContent = value;
  fitNumber(place, open.find(`${line.id}-wire-line`));
  open.find(`${line.id}-again`)?.classList.toggle("todo", !known);
  for (const part of ["out", "wire-line"]) {
    const { classList } = open.find(`${line.id}-${part}`);
    classList.toggle("todo", !known);
    for (const name of ["passed", "dead"]) classList.toggle(name, line.classList.contains(name));
  }
}
