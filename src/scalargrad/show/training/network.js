// The units of the network: a picture in each of what it gives over the plane.

const HEADING = 22; // pixels above the units, for the names of layers
const MOST_TILE = 54;
const LEAST_TILE = 2;
const ROOM = { narrow: 30, wide: 92 }; // beside the last layer, for names and numbers
const BEFORE_INPUT = 14; // pixels around an input's name

let tiles = []; // for each cell {x, y, size}: the middle and the side
let cells = []; // for each cell {group, button, mark, text}, of its element
let canvasOfTiles = null;
let pointedAt = null; // the unit under the mouse

// Give every unit its place: layers side by side, each centred.
function placeTiles(across, down) {
  const pitchOf = (layer) => Math.min((down - HEADING - 4) / layer.length, MOST_TILE * 1.35);
  const left = Math.max(isPhone() ? 26 : 46, ...inputNames().map((name) => widthOf(fitting(name)) + BEFORE_INPUT));
  const right = isPhone() ? ROOM.narrow : ROOM.wide;
  tiles = [];
  for (const [l, layer] of training.layers.entries()) {
    const pitch = pitchOf(layer);
    const fits = 2 * Math.floor(Math.min(pitch * 0.84, MOST_TILE) / 2); // whole pixels: sharp, and printed right
    const size = Math.max(fits, LEAST_TILE);
    const column = left + size / 2 + ((across - left - right - MOST_TILE) * l) / Math.max(1, training.layers.length - 1);
    for (const [i, c] of layer.entries()) {
      const y = HEADING + (down - HEADING) / 2 + (i - (layer.length - 1) / 2) * pitch;
      tiles[c] = { x: Math.round(column), y: Math.round(y), size };
    }
  }
}

// Fit the picture to its place.
function fitTiles() {
  const { across, down, context } = fitted($("tiles"));
  canvasOfTiles = context;
  placeTiles(across, down);
  return { across, down };
}

// Make lines and units anew: of another network, or for another size.
function layOutNetwork() {
  fitTiles();
  drawNamesLegend();
  const { across, down } = fitTiles(); // of which the legend may have taken a line
  for (const id of ["lines", "cells"]) $(id).setAttribute("viewBox", `0 0 ${across} ${down}`);
  layOutLines();
  cells = training.cells.map((_, c) => cellElement(c));
  $("cells").replaceChildren(...training.layers.flatMap(headed), ...cells.map(({ group }) => group));
}

function headed(layer, l) {
  const { x } = tiles[layer[0]];
  const last = training.layers.length - 1;
  const name = l === 0 ? "input" : l === last ? "output" : `layer ${l}`;
  return svgElement("text", { class: "heading", x, y: 14 }, name);
}

function cellElement(c) {
  const { x, y, size } = tiles[c];
  const box = { x: x - size / 2, y: y - size / 2, width: size, height: size, rx: 2 };
  const isInput = training.cells[c].layer === 0;
  const mark = svgElement("circle", { class: "mark", r: Math.min(4, size / 7) });
  const button = svgElement(
    "g",
    {
      class: "button", id: `cell-${c}`, role: "button", tabindex: c === state.cell ? 0 : -1,
      onclick: () => { chooseUnit(c); openUnit(c); }, onfocus: () => { state.cell = c; chooseUnit(c); },
      onpointerenter: (event) => pointAt(event.pointerType === "mouse" ? c : null), onpointerleave: () => pointAt(null),
      onkeydown: (event) => onShapeKey(event, (by) => focusCell((c + by + training.cells.length) % training.cells.length), () => openUnit(c)),
    },
    svgElement("rect", { ...box, x: box.x - 3, y: box.y - 3, width: size + 6, height: size + 6, class: "target" }),
    svgElement("rect", { ...box, class: "border" }),
    svgElement("path", { class: "nothing", d: `M${box.x},${box.y}l${size},${size}m0,${-size}l${-size},${size}` }),
    mark,
  );
  const text = svgElement("text", { class: "number", x: x + size / 2 + 5, y: y + 4.5 });
  const group = svgElement("g", { class: isInput ? "cell input" : "cell" }, button, nameElement(c, isInput, { x, y, size }), text);
  group.style.setProperty("--layer", String(training.cells[c].layer));
  return { group, button, mark, text };
}

function focusCell(c) {
  $(`cell-${state.cell}`).setAttribute("tabindex", "-1");
  $(`cell-${c}`).setAttribute("tabindex", "0");
  $(`cell-${c}`).focus();
}

// Choose a unit, whose lines then stand out among all others; null lets it go.
function chooseUnit(c) {
  if (state.unit === c) return;
  state.unit = c;
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
  const { fields } = training.overPlane(state.at, sliceThrough());
  const most = fields.map(greatest);
  for (const c of training.cells.keys()) drawTile(canvasOfTiles, c, fields[c], most[c]);
  drawActivations(most);
}

// An input that is the same all over the plane.
const isHeld = (c) => training.cells[c].layer === 0 && !plane.includes(c);

function drawTile(context, c, field, most) {
  const { x, y, size } = tiles[c];
  const pixels = isHeld(c) ? new Uint32Array(field.length).fill(shades.constant[SHADES]) : divergingPixels(field, most || 1);
  paint(context, pixels, x - size / 2, y - size / 2, size, size);
}

// What the selected example makes of every unit, and where it lies in every picture.
function drawActivations(most) {
  const values = state.example === null ? null : training.activations(state.at, state.example);
  for (const [c, cell] of training.cells.entries()) {
    const { group, button, mark, text } = cells[c];
    const { x, y, size } = tiles[c];
    group.classList.toggle("dead", !isHeld(c) && most[c] === 0);
    group.classList.toggle("held", isHeld(c));
    group.classList.toggle("lit", values !== null);
    if (values) {
      const [right, down] = placeInPlane(examples[state.example]);
      mark.setAttribute("cx", String(x - size / 2 + size * right));
      mark.setAttribute("cy", String(y - size / 2 + size * (plane.length === 2 ? down : 0.5)));
    }
    putText(text, values ? number(values[c]) : "");
    put(text, "class", values && values[c] < 0 ? "number negative" : "number positive");
    const kind = cell.layer === 0 ? "input" : `${cell.activation || "linear"} unit of layer ${cell.layer}`;
    const given = values ? `, gives ${number(values[c])} for example ${state.example}` : "";
    put(button, "aria-label", `${cell.name}, ${kind}${given}`);
  }
}

// Where an input lies in the plane, in shares of its width and height from the upper left.
function placeInPlane(input) {
  return plane.map((axis, i) => {
    const [low, high] = extents[i];
    const share = (input[axis] - low) / (high - low);
    return i === 0 ? share : 1 - share;
  });
}

const mostLetters = () => (isPhone() ? 12 : 24); // of a name, the rest of which is cut off
const fitting = (name) => (name.length > mostLetters() ? `${name.slice(0, mostLetters() - 1).trimEnd()}…` : name);

const inputNames = () => training.layers[0].map((c) => training.cells[c].name);

function widthOf(text) {
  canvasOfTiles.font = `${isPhone() ? 14 : 13}px ${getComputedStyle(document.body).fontFamily}`;
  return canvasOfTiles.measureText(text).width;
}

// The name of a unit stands after it, that of an input before it.
function nameElement(c, isInput, { x, y, size }) {
  const { name } = training.cells[c];
  const place = { x: isInput ? x - size / 2 - 5 : x + size / 2 + 5, y: y + 4.5 };
  const text = svgElement("text", { class: isInput ? "name before" : "name", ...place }, isInput ? fitting(name) : name);
  if (isInput && fitting(name) !== name) text.append(svgElement("title", {}, name));
  return text;
}

// What the names that are cut stand for.
function drawNamesLegend() {
  const cut = inputNames().filter((name) => fitting(name) !== name);
  putText($("names-of"), cut.map((name) => `${fitting(name)} is ${name}`).join(", "));
}

// The lines between units, one for each weight.

const PALE = 0.06; // how strong lines are that are not meant
const CARRIES = 0.1; // of the greatest product into a layer: less is not meant
const WIDTHS = 50; // of lines, so many as can be told apart: a line is written anew only if its own changes
const SMALL = 24; // pixels of a unit
const AROUND_NAME = 8; // pixels before and behind a name, together
const LEAST_RUN = 40; // pixels across, in which lines can be told apart
const HALO = { width: 11, opacity: 0.7 }; // under the line whose weight changed most

let lines = []; // for each weight {path, start, end, parameter, from, to}

function layOutLines() {
  lines = training.weights.map((weight) => {
    const [start, end] = endsOf(weight);
    const middle = (start.x + end.x) / 2;
    const d = `M${start.x},${start.y}C${middle},${start.y} ${middle},${end.y} ${end.x},${end.y}`;
    return { ...weight, start, end, d, path: svgElement("path", { d }) };
  });
  const halo = svgElement("path", { id: "halo", "stroke-width": HALO.width, "stroke-opacity": HALO.opacity });
  $("lines").replaceChildren(halo, ...lines.map((line) => line.path));
}

// From the right side of a unit to the left side of another; of small ones, which stand close together,
// from behind the name, which could not be read among their lines, if these have room there.
function endsOf(weight) {
  const [from, to] = [tiles[weight.from], tiles[weight.to]];
  const { name, layer } = training.cells[weight.from];
  const [left, right] = [from.x + from.size / 2, to.x - to.size / 2];
  const behind = left + AROUND_NAME + widthOf(name);
  const isBehind = layer > 0 && from.size < SMALL && right - behind >= LEAST_RUN;
  return [{ x: isBehind ? behind : left, y: from.y }, { x: right, y: to.y }];
}

// Each line of the view: width by magnitude, colour and dashes by sign. Those of the unit or the example
// that is chosen stand out, and a halo lies under the one whose weight changed most.
function drawLines() {
  const shown = lineNumbers(lines);
  const most = greatestLine();
  const thickest = Math.min(5, 60 / Math.max(...training.layers.map((layer) => layer.length)));
  const isMeant = meantLines();
  for (const [i, { path }] of lines.entries()) {
    const share = Number.isFinite(shown[i]) ? Math.round((WIDTHS * Math.abs(shown[i])) / (most || 1)) / WIDTHS : 1;
    const opacity = isMeant === null ? 0.15 + 0.85 * share : isMeant[i] ? 1 : PALE;
    put(path, "class", shown[i] < 0 ? "negative" : "positive");
    put(path, "stroke-width", shown[i] === 0 ? "0" : (0.25 + thickest * share).toFixed(2));
    put(path, "stroke-opacity", opacity.toFixed(2));
  }
  const moved = largestChange();
  put($("halo"), "d", moved ? lines.find(({ parameter }) => parameter === moved.parameter)?.d ?? "" : "");
}

// The training stands still.
function rest() {
  if (!state.isMoving) return;
  state.isMoving = false;
  draw();
}

// Which lines are meant: those of a unit; or those along which the selected example sends at least a
// tenth of the greatest product into their layer. Null where nothing is chosen.
function meantLines() {
  const unit = pointedAt ?? state.unit;
  if (unit !== null) return lines.map(({ from, to }) => from === unit || to === unit);
  if (state.example === null) return null;
  const products = productsOf(lines);
  const layerOf = ({ to }) => training.cells[to].layer;
  const most = training.layers.map((_, l) => greatest(products.filter((_, i) => layerOf(lines[i]) === l)));
  return lines.map((line, i) => products[i] !== 0 && Math.abs(products[i]) >= CARRIES * most[layerOf(line)]);
}

// The number of the widest line; of weights that of the whole training, so that they are seen to grow.
const greatestLine = () => (state.view === "weights" ? training.greatestWeight : greatest(lineNumbers(training.weights)));

function drawLinesLegend() {
  const of = {
    weights: "weight w",
    products: `product w·x of example ${state.example}`,
    gradients: `∂L/∂w of ${state.example === null ? "the mean loss" : `the loss of example ${state.example}`}`,
    changes: "change of w",
  }[state.view];
  putText($("lines-of"), `${of}, at most ${number(greatestLine())}`);
}
