// The units of the network, each with a picture of its output over the plane.

const HEADING = 22; // height of the names of layers, in pixels
const MAX_TILE = 54; // maximum side of a picture, in pixels
const MIN_TILE = 2; // minimum side of a picture, in pixels
const ROOM = { narrow: 30, wide: 92 }; // width right of the last layer for names and numbers, in pixels
const BEFORE_INPUT = 14; // space around an input's name, in pixels

let tiles = []; // for each unit {x, y, size}: the centre and the side of its picture
let unitElements = []; // for each unit {group, button, mark, text}: its elements
let canvasOfTiles = null;
let pointedAt = null; // the unit under the pointer

// Compute the positions of the units: layers side by side, each centred.
function placeTiles(across, down) {
  const pitchOf = (layer) => Math.min((down - HEADING - 4) / layer.length, MAX_TILE * 1.35);
  const left = Math.max(isPhone() ? 26 : 46, ...inputNames().map((name) => widthOf(truncateName(name)) + BEFORE_INPUT));
  const right = isPhone() ? ROOM.narrow : ROOM.wide;
  tiles = [];
  for (const [l, layer] of training.layers.entries()) {
    const pitch = pitchOf(layer);
    const fits = 2 * Math.floor(Math.min(pitch * 0.84, MAX_TILE) / 2); // an even number of pixels, so that pictures are sharp
    const size = Math.max(fits, MIN_TILE);
    const column = left + size / 2 + ((across - left - right - MAX_TILE) * l) / Math.max(1, training.layers.length - 1);
    for (const [i, c] of layer.entries()) {
      const y = HEADING + (down - HEADING) / 2 + (i - (layer.length - 1) / 2) * pitch;
      tiles[c] = { x: Math.round(column), y: Math.round(y), size };
    }
  }
}

// Fit the canvas to its container.
function fitTiles() {
  const { across, down, context } = fitCanvas($("tiles"));
  canvasOfTiles = context;
  placeTiles(across, down);
  return { across, down };
}

// Create all lines and units, for another network or size.
function layOutNetwork() {
  fitTiles();
  drawNamesLegend();
  const { across, down } = fitTiles(); // the legend may have changed the height
  for (const id of ["lines", "units"]) $(id).setAttribute("viewBox", `0 0 ${across} ${down}`);
  layOutLines();
  unitElements = training.units.map((_, c) => unitElement(c));
  $("units").replaceChildren(...training.layers.flatMap(headingElement), ...unitElements.map(({ group }) => group));
}

function headingElement(layer, l) {
  const { x } = tiles[layer[0]];
  const last = training.layers.length - 1;
  const name = l === 0 ? "input" : l === last ? "output" : `layer ${l}`;
  return svgElement("text", { class: "heading", x, y: 14 }, name);
}

function unitElement(c) {
  const { x, y, size } = tiles[c];
  const box = { x: x - size / 2, y: y - size / 2, width: size, height: size, rx: 2 };
  const isInput = training.units[c].layer === 0;
  const mark = svgElement("circle", { class: "mark", r: Math.min(4, size / 7) });
  const button = svgElement(
    "g",
    {
      class: "button", id: `unit-${c}`, role: "button", tabindex: c === state.focusedUnit ? 0 : -1,
      onclick: () => { chooseUnit(c); openUnit(c); }, onfocus: () => { state.focusedUnit = c; chooseUnit(c); },
      onpointerenter: (event) => pointAt(event.pointerType === "mouse" ? c : null), onpointerleave: () => pointAt(null),
      onkeydown: (event) => onShapeKey(event, (by) => focusUnit((c + by + training.units.length) % training.units.length), () => openUnit(c)),
    },
    svgElement("rect", { ...box, x: box.x - 3, y: box.y - 3, width: size + 6, height: size + 6, class: "target" }),
    svgElement("rect", { ...box, class: "border" }),
    svgElement("path", { class: "nothing", d: `M${box.x},${box.y}l${size},${size}m0,${-size}l${-size},${size}` }),
    mark,
  );
  const text = svgElement("text", { class: "number", x: x + size / 2 + 5, y: y + 4.5 });
  const group = svgElement("g", { class: isInput ? "unit input" : "unit" }, button, nameElement(c, isInput, { x, y, size }), text);
  group.style.setProperty("--layer", String(training.units[c].layer));
  return { group, button, mark, text };
}

function focusUnit(c) {
  $(`unit-${state.focusedUnit}`).setAttribute("tabindex", "-1");
  $(`unit-${c}`).setAttribute("tabindex", "0");
  $(`unit-${c}`).focus();
}

// Select a unit, whose lines are then emphasized, or none by null.
function chooseUnit(c) {
  if (state.selectedUnit === c) return;
  state.selectedUnit = c;
  drawNetwork();
}

function pointAt(c) {
  pointedAt = c;
  drawNetwork();
}

function drawNetwork() {
  drawLinesLegend();
  drawLines();
  canvasOfTiles.clearRect(0, 0, canvasOfTiles.canvas.width, canvasOfTiles.canvas.height);
  const { fields } = training.fieldsOverPlane(state.at, sliceThrough());
  const most = fields.map(maxMagnitude);
  for (const c of training.units.keys()) drawTile(canvasOfTiles, c, fields[c], most[c]);
  drawActivations(most);
}

// Whether a unit is an input that is constant over the plane.
const isConstantInput = (c) => training.units[c].layer === 0 && !plane.includes(c);

function drawTile(context, c, field, most) {
  const { x, y, size } = tiles[c];
  const pixels = isConstantInput(c) ? new Uint32Array(field.length).fill(shades.constant[SHADES]) : divergingPixels(field, most || 1);
  paint(context, pixels, x - size / 2, y - size / 2, size, size);
}

// Show the output of every unit for the selected example, and the position of the example in every picture.
function drawActivations(most) {
  const values = state.example === null ? null : training.activations(state.at, state.example);
  for (const [c, unit] of training.units.entries()) {
    const { group, button, mark, text } = unitElements[c];
    const { x, y, size } = tiles[c];
    group.classList.toggle("dead", !isConstantInput(c) && most[c] === 0);
    group.classList.toggle("held", isConstantInput(c));
    group.classList.toggle("lit", values !== null);
    if (values) {
      const [right, down] = placeInPlane(examples[state.example]);
      mark.setAttribute("cx", String(x - size / 2 + size * right));
      mark.setAttribute("cy", String(y - size / 2 + size * (plane.length === 2 ? down : 0.5)));
    }
    putText(text, values ? number(values[c]) : "");
    put(text, "class", values && values[c] < 0 ? "number negative" : "number positive");
    const kind = unit.layer === 0 ? "input" : `${unit.activation || "linear"} unit of layer ${unit.layer}`;
    const given = values ? `, gives ${number(values[c])} for example ${state.example}` : "";
    put(button, "aria-label", `${unit.name}, ${kind}${given}`);
  }
}

// The position of an input in the plane, as shares of its width and height from the upper left.
function placeInPlane(input) {
  return plane.map((axis, i) => {
    const [low, high] = extents[i];
    const share = (input[axis] - low) / (high - low);
    return i === 0 ? share : 1 - share;
  });
}

const maxNameLength = () => (isPhone() ? 12 : 24); // maximum length of a displayed name
const truncateName = (name) => (name.length > maxNameLength() ? `${name.slice(0, maxNameLength() - 1).trimEnd()}…` : name);

const inputNames = () => training.layers[0].map((c) => training.units[c].name);

function widthOf(text) {
  canvasOfTiles.font = `${isPhone() ? 14 : 13}px ${getComputedStyle(document.body).fontFamily}`;
  return canvasOfTiles.measureText(text).width;
}

// The name of a unit is right of it, the name of an input left of it.
function nameElement(c, isInput, { x, y, size }) {
  const { name } = training.units[c];
  const place = { x: isInput ? x - size / 2 - 5 : x + size / 2 + 5, y: y + 4.5 };
  const text = svgElement("text", { class: isInput ? "name before" : "name", ...place }, isInput ? truncateName(name) : name);
  if (isInput && truncateName(name) !== name) text.append(svgElement("title", {}, name));
  return text;
}

// Show the full names of those that are abbreviated.
function drawNamesLegend() {
  const cut = inputNames().filter((name) => truncateName(name) !== name);
  putText($("names-of"), cut.map((name) => `${truncateName(name)} is ${name}`).join(", "));
}

// The lines between units, one for each weight.

const WEAK_OPACITY = 0.06; // opacity of lines that are not emphasized
const MIN_PRODUCT_SHARE = 0.1; // minimum product of an emphasized line, as a share of the largest one into its layer
const WIDTH_LEVELS = 50; // number of distinct line widths; a line is updated only if its width changes
const SMALL_TILE = 24; // side of a small unit, in pixels
const NAME_MARGIN = 8; // space before and after a name together, in pixels
const MIN_LINE_LENGTH = 40; // minimum width in which lines are distinguishable, in pixels
const HALO = { width: 11, opacity: 0.7 }; // under the line whose weight changed most

let lines = []; // for each weight {path, start, end, parameter, from, to}

function layOutLines() {
  lines = training.weights.map((weight) => {
    const [start, end] = lineEnds(weight);
    const middle = (start.x + end.x) / 2;
    const d = `M${start.x},${start.y}C${middle},${start.y} ${middle},${end.y} ${end.x},${end.y}`;
    return { ...weight, start, end, d, path: svgElement("path", { d }) };
  });
  const halo = svgElement("path", { id: "halo", "stroke-width": HALO.width, "stroke-opacity": HALO.opacity });
  $("lines").replaceChildren(halo, ...lines.map((line) => line.path));
}

// The ends of a line, from the right side of a unit to the left side of another. Lines of small units begin
// after the name, if there is room, so that the name is legible.
function lineEnds(weight) {
  const [from, to] = [tiles[weight.from], tiles[weight.to]];
  const { name, layer } = training.units[weight.from];
  const [left, right] = [from.x + from.size / 2, to.x - to.size / 2];
  const behind = left + NAME_MARGIN + widthOf(name);
  const isBehind = layer > 0 && from.size < SMALL_TILE && right - behind >= MIN_LINE_LENGTH;
  return [{ x: isBehind ? behind : left, y: from.y }, { x: right, y: to.y }];
}

// Draw the lines of the view: width by magnitude, colour and dashes by sign. Lines of the selected unit or
// example are emphasized, and the line whose weight changed most has a halo.
function drawLines() {
  const lineValues = lineNumbers(lines);
  const most = maxLineNumber();
  const thickest = Math.min(5, 60 / Math.max(...training.layers.map((layer) => layer.length)));
  const isEmphasized = emphasizedLines();
  for (const [i, { path }] of lines.entries()) {
    const share = Number.isFinite(lineValues[i]) ? Math.round((WIDTH_LEVELS * Math.abs(lineValues[i])) / (most || 1)) / WIDTH_LEVELS : 1;
    const opacity = isEmphasized === null ? 0.15 + 0.85 * share : isEmphasized[i] ? 1 : WEAK_OPACITY;
    put(path, "class", lineValues[i] < 0 ? "negative" : "positive");
    put(path, "stroke-width", lineValues[i] === 0 ? "0" : (0.25 + thickest * share).toFixed(2));
    put(path, "stroke-opacity", opacity.toFixed(2));
  }
  const moved = largestChange();
  put($("halo"), "d", moved ? lines.find(({ parameter }) => parameter === moved.parameter)?.d ?? "" : "");
}

// Draw everything again when a training run or Play stops.
function rest() {
  if (!state.isMoving) return;
  state.isMoving = false;
  draw();
}

// Which lines are emphasized: those of a unit; or those whose product for the selected example is at least a
// tenth of the largest one into their layer. Null if nothing is selected.
function emphasizedLines() {
  const marked = pointedAt ?? state.selectedUnit;
  if (marked !== null) return lines.map(({ from, to }) => from === marked || to === marked);
  if (state.example === null) return null;
  const products = lineProducts(lines);
  const layerOf = ({ to }) => training.units[to].layer;
  const most = training.layers.map((_, l) => maxMagnitude(products.filter((_, i) => layerOf(lines[i]) === l)));
  return lines.map((line, i) => products[i] !== 0 && Math.abs(products[i]) >= MIN_PRODUCT_SHARE * most[layerOf(line)]);
}

// The number of the widest line; for weights, the largest of all snapshots, so that growth is visible.
const maxLineNumber = () => (state.view === "weights" ? training.greatestWeight : maxMagnitude(lineNumbers(training.weights)));

function drawLinesLegend() {
  const of = {
    weights: "weight w",
    products: `product w·x of example ${state.example}`,
    gradients: `∂L/∂w of ${state.example === null ? "the mean loss" : `the loss of example ${state.example}`}`,
    changes: "change of w",
  }[state.view];
  putText($("lines-of"), `${of}, at most ${number(maxLineNumber())}`);
}
