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
  typesetDrawing(svg);
  enlargeTargets(svg);
  return table;
}

// Equal drawings are kept as one template, in lines that others share: ids and texts fill its slots.
const written = ({ template, slots }) => recorded.templates[template].map((k) => recorded.lines[k]).join("\n").replaceAll(/\{(\d+)\}/g, (_, k) => slots[k]);

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
  const name = texts.value.querySelector(".name");
  const into = nodes[i].parents.flatMap((_, k) => [table.find(`n${i}-w${k}`), table.find(`n${i}-w${k}-tap`), table.find(`n${i}-c${k}`)]);
  const own = ["", "-out", "-wire", "-stem", "-fan", "-into"].map((part) => table.find(`n${i}${part}`));
  const parts = [...own, ...into, table.find(`exit-n${i}`), ...table.svg.querySelectorAll(`[id^="n${i}-b"]`)].filter(Boolean);
  const ways = ["out", "wire-line", "stem", "into"].map((part) => table.find(`n${i}-${part}`)).filter(Boolean);
  return { ...texts, parts, ways, wire: table.find(`n${i}-wire-line`), name, label: name?.textContent ?? "", number: texts.value.querySelector(".value") };
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

// The drawing to open for a stop: that in which its gate stands or, for a layer, that around it.
function drawingFor(stop) {
  const common = drawingAround(stop);
  const isLayer = state.view === "layer" && layerOf(stop);
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
