// The drawings of a walk: one of the whole graph or, of a large graph, one for each fold. One is
// open at a time; the others are kept as text. Nothing in a drawing ever moves.

const viewport = $("viewport");
const drawings = recorded.drawings;
for (const [k, drawing] of drawings.entries()) for (const i of drawing.nodes ?? []) nodes[i].home = k;
const homeOf = (i) => (i === null ? 0 : nodes[i].home ?? 0); // the drawing in which a node stands itself

// The gates inside each drawing, at any depth.
for (const drawing of drawings) drawing.gates = [];
for (const [i, node] of nodes.entries()) if (node.gate) for (const at of pathTo(homeOf(i))) drawings[at].gates.push(i);

let graph = null;
let overlay = null; // above the shapes: rings, arrows, products
let underlay = null; // below them: halos and active wires
let open = null; // what the open drawing shows: see tableOf

const opened = new Map(); // tables by drawing and form, made when a drawing is opened first

// Open a drawing by its index, in the form that is chosen: with junctions or with copy gates.
function openDrawing(index) {
  const form = state.copies && drawings[index].copies ? "copies" : "svg";
  const key = `${form} ${index}`;
  if (open?.key === key) return false;
  if (!opened.has(key)) opened.set(key, tableOf(index, key, form));
  open = opened.get(key);
  viewport.replaceChildren(open.svg);
  [graph, overlay, underlay] = [open.svg, $("overlay"), $("underlay")];
  return true;
}

// What stands in a drawing, by node, bundle and fold, and the steps that each of its lines carries.
function tableOf(index, key, form) {
  const { [form]: kept = null } = drawings[index];
  const svg = kept === null ? $("graph") : parsedSvg(kept.slots ? written(kept) : kept);
  const { folds = [], bundles = [] } = form === "copies" ? {} : drawings[index];
  const ids = new Map([...svg.querySelectorAll("[id]")].map((shape) => [shape.id, shape]));
  const table = { key, index, svg, find: (id) => ids.get(id) ?? null, nodes: new Map(), bundles: new Map(), folds: new Map(), lines: new Map() };
  table.unitOf = new Map(); // the bundle a node stands in
  for (const [b, members] of bundles.entries()) for (const i of members) table.unitOf.set(i, `b${b}`);
  for (const text of svg.querySelectorAll("text[id$='-value']")) {
    const found = /^n(\d+)-value$/.exec(text.id);
    if (found) table.nodes.set(Number(found[1]), nodeIn(table, Number(found[1])));
  }
  for (const [b, members] of bundles.entries()) table.bundles.set(b, { members, ...textsIn(table, `b${b}`), number: table.find(`b${b}-value`).querySelector(".value") });
  for (const f of folds) table.folds.set(f, { shape: table.find(`f${f}`), lines: [...svg.querySelectorAll(`[id^="f${f}-"]`)] });
  for (const [k, step] of steps.entries()) {
    if (step.phase !== "backward" || !(table.nodes.has(step.parent) || table.unitOf.has(step.parent))) continue;
    const line = table.find(lineId(table, step));
    if (!line) continue;
    if (!table.lines.has(line)) table.lines.set(line, []);
    table.lines.get(line).push(k);
  }
  return table;
}

// Equal drawings are kept as one template: ids and texts fill its slots.
const written = ({ template, slots }) => recorded.templates[template].replaceAll(/\{(\d+)\}/g, (_, k) => slots[k]);

function parsedSvg(written) {
  const holder = document.createElement("div");
  holder.innerHTML = written;
  return holder.firstElementChild;
}

const textsIn = (table, unit) => ({
  shape: table.find(unit), value: table.find(`${unit}-value`), gradient: table.find(`${unit}-gradient`),
});

function nodeIn(table, i) {
  const texts = textsIn(table, `n${i}`);
  const into = nodes[i].parents.flatMap((_, k) => [table.find(`n${i}-w${k}`), table.find(`n${i}-w${k}-tap`), table.find(`n${i}-c${k}`)]);
  const own = ["", "-out", "-wire", "-stem", "-fan", "-into"].map((part) => table.find(`n${i}${part}`));
  const parts = [...own, ...into, table.find(`exit-n${i}`), ...table.svg.querySelectorAll(`[id^="n${i}-b"]`)].filter(Boolean);
  const ways = ["out", "wire-line", "stem", "into"].map((part) => table.find(`n${i}-${part}`)).filter(Boolean);
  return { ...texts, parts, ways, wire: table.find(`n${i}-wire-line`), number: texts.value.querySelector(".value") };
}

// The id of the line that stands for a wire: its own, or that of a bundle, a fold or the exit.
function lineId(table, { node, operand, parent }) {
  const unit = table.unitOf.get(parent) ?? `n${parent}`;
  if (homeOf(node) === table.index) return unit.startsWith("b") ? `n${node}-${unit}` : `n${node}-w${operand}`;
  const fold = foldAround(table.index, node);
  if (fold === null) return `exit-${unit}`;
  return foldAround(table.index, parent) === fold && homeOf(parent) !== table.index ? "" : `f${fold}-${unit}`;
}

// The fold in a drawing in which a node stands, however deep; null if it stands elsewhere.
function foldAround(index, node) {
  let at = homeOf(node);
  while (at !== null && drawings[at].parent !== index) at = drawings[at].parent;
  return at;
}

const lineOf = (step) => open.find(lineId(open, step));

// The drawing to open for a stop: that in which its gates stand or, where they are a whole layer, that around it.
function drawingFor(stop) {
  const [common, layer] = [drawingAround(stop), layerOf(stop)];
  const isLayer = layer !== null && drawings[common].gates.every((i) => layer.members.has(i));
  return isLayer ? drawings[common].parent ?? common : common;
}

// The innermost drawing that holds all the gates of a stop.
function drawingAround(stop) {
  const paths = stop.map((k) => pathTo(homeOf(steps[k].node)));
  let depth = 0;
  while (paths.every((path) => path.length > depth && path[depth] === paths[0][depth])) depth += 1;
  return paths[0][depth - 1];
}

// A drawing and those around it, the outermost first.
function pathTo(index) {
  const path = [];
  for (let at = index; at !== null; at = drawings[at].parent) path.unshift(at);
  return path;
}

const pathInWords = (index) => pathTo(index).map((at) => drawings[at].title).join(" › ");

// Open a drawing because someone asked for it; the next step goes back to where it happens.
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
  $("folds").hidden = drawings.length === 1;
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

// The open drawing at a step: what is known, what is active, what has come back. The layout never
// moves; only classes, numbers and the overlay change.

const MANY_DIGITS = 8;
const LEAST_NUMBER = 0.7; // of its size

// How many terms of each node's gradient have arrived.
function arrivedNow() {
  const arrived = nodes.map(() => 0);
  for (const [k, step] of steps.entries()) if (step.phase === "backward" && isDone(k)) arrived[step.parent] += 1;
  return arrived;
}

// Whether a gradient has all its terms.
const isComplete = (i, arrived) => (i === root ? isDone(seedAt) : wires[i] > 0 && arrived[i] === wires[i]);

const askedStep = () => (state.question?.isOpen ? state.question.step : null);

function drawGraph() {
  const arrived = arrivedNow();
  const active = shownSteps().map((k) => steps[k]);
  for (const [i, shapes] of open.nodes) drawNode(i, shapes, arrived);
  for (const [b, bundle] of open.bundles) drawBundle(b, bundle, arrived, active);
  for (const [f, shapes] of open.folds) drawFold(f, shapes);
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

function drawNode(i, { parts, ways, wire, number: text, gradient, shape }, arrived) {
  const known = isDone(knownAt[i]);
  for (const part of parts) part.classList.toggle("todo", !known);
  text.textContent = known ? computedText(i) : "";
  fitNumber(text, wire);
  const asked = askedStep();
  const passed = isComplete(i, arrived) && asked?.parent !== i;
  for (const way of ways) way.classList.toggle("passed", passed);
  const back = asked && asked.parent === i ? askedGradient(i, arrived[i]) : gradientText(i, arrived);
  gradient.textContent = back;
  fitNumber(gradient, wire);
  shape?.setAttribute("aria-label", describeNode(nodes[i].gate ? shape.textContent : nodes[i].name, i, known, back));
}

// A number that is longer than its wire, as −1.235e−300 may be, is set smaller; the wire never moves.
function fitNumber(text, wire) {
  text.style.fontSize = "";
  if (!wire || text.textContent.length < MANY_DIGITS) return;
  const share = (roomOf(wire) - 4) / text.getComputedTextLength();
  if (share < 1) text.style.fontSize = `${(parseFloat(getComputedStyle(text).fontSize) * Math.max(share, LEAST_NUMBER)).toFixed(1)}px`;
}

const roomOf = (wire) => (wire.localName === "rect" ? wire.width.baseVal.value : wire.getTotalLength());

// The gradient of a node as far as it has come: 0.5 + ? until every term has arrived.
function gradientText(i, arrived) {
  if (isComplete(i, arrived)) return number(state.sweep.total(i));
  return arrived[i] ? partialSum(state.sweep.total(i, arrived[i])) : "";
}

const partialSum = (sum) => `${number(sum)} + ?`;
const askedGradient = (i, arrived) => (arrived > 1 ? partialSum(state.sweep.total(i, arrived - 1)) : "?");

// What is computed, with ≈ where the number is about that.
const computedText = (i) => (nodes[i].gate ? valueText(i).replace("= ", "") : number(state.sweep.data[i]));

const valueText = (i) => `${valueSign(i)} ${number(state.sweep.data[i])}`;

// The sign between a name and its value: ≈ where that is about what is computed.
const valueSign = (i) => loosest(relation(state.sweep.data[i]), nodes[i].gate ? gateAt(state.sweep, i).relation : "=");

// A node's accessible name; it begins with what is seen in the node.
function describeNode(seen, i, known, gradient) {
  const node = nodes[i];
  const value = known ? ` ${valueText(i)}` : ", not computed yet";
  return `${seen}, ${node.kind}: ${node.name}${value}${gradient ? `, gradient ${gradient}` : ""}`;
}

// Several values on one wire: the number of the one at work, or how many there are.
function drawBundle(b, { members, shape, number: text, gradient }, arrived, active) {
  const known = members.filter((i) => isDone(knownAt[i])).length;
  const complete = members.filter((i) => isComplete(i, arrived)).length;
  for (const part of ["", "-out", "-wire", "-stem", "-fan"]) open.find(`b${b}${part}`)?.classList.toggle("todo", !known);
  open.find(`exit-b${b}`)?.classList.toggle("todo", !known);
  for (const part of ["-out", "-wire-line", "-stem"]) open.find(`b${b}${part}`)?.classList.toggle("passed", complete === members.length);
  const one = atWork(members, active);
  open.bundles.get(b).one = one;
  text.textContent = one === null ? countedOf(known, "value", members.length) : lowered(`${nodes[one].name} ${valueText(one)}`);
  const asked = askedStep()?.parent === one;
  const back = one === null ? "" : asked ? askedGradient(one, arrived[one]) : gradientText(one, arrived);
  gradient.textContent = back || countedOf(complete, "gradient", members.length);
  shape.setAttribute("aria-label", `${shape.textContent}: ${members.length} wires drawn as one; opens their list`);
}

// How many of several there are: nothing, 3/16 values, 16 values.
function countedOf(count, noun, all) {
  return count ? `${count === all ? count : `${count}/${all}`} ${noun}s` : "";
}

// The one of several nodes that the steps shown are about, or else whose value they read.
function atWork(members, active) {
  const [step] = active;
  const here = (found) => {
    const among = [...new Set(found)].filter((i) => members.includes(i) && isDone(knownAt[i]));
    return among.length === 1 ? among[0] : null;
  };
  if (step.phase !== "backward") return here(active.map(({ node }) => node));
  return here(active.map(({ parent }) => parent)) ?? here(active.flatMap(readBy));
}

function drawFold(f, { shape, lines }) {
  const begun = !drawings[f].gates.length || drawings[f].gates.some((i) => isDone(knownAt[i]));
  for (const part of [shape, ...lines]) part.classList.toggle("todo", !begun);
}

function drawWireBack(line, carried) {
  const asked = askedStep();
  const done = carried.filter((k) => isDone(k));
  const isAsked = asked !== null && carried.some((k) => steps[k] === asked);
  const all = done.length === carried.length && !isAsked;
  const dead = all && carried.every((k) => isStopped(state.sweep, steps[k]));
  line.classList.toggle("passed", all && !dead);
  line.classList.toggle("dead", dead);
  drawContribution(line, done, carried, isAsked);
}

// What has come back along a line: on its tap, or on the wire of its copy or repeated name; of several
// values on one line, how many there are, and how many terms.
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
  place.textContent = isOne ? arrived : countedOf(done.length, "term", carried.length);
  fitNumber(place, copy ? open.find(`${line.id}-wire-line`) : tap.querySelector("rect"));
  tap?.classList.toggle("empty", !done.length);
  if (copy) drawWireAgain(line, known > 0, !isOne ? countedOf(known, "value", members.length) : known ? computedText(members[0]) : "");
}

// The wire of a copy or a repeated name, on which its line continues.
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
