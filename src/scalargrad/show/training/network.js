// The network: a picture in each unit of what it gives over the plane, and a line for each weight.

const layers = [];
for (const [c, cell] of cells.entries()) (layers[cell.layer] ??= []).push(c);
const widest = Math.max(...layers.map((layer) => layer.length));
const HEADING = 22; // pixels above the units, for the names of layers
const MOST_TILE = 54;
const LEAST_TILE = 2;
const ROOM = { narrow: 30, wide: 92 }; // beside the last layer, for names and numbers

let tiles = []; // for each cell {x, y, size}: the middle and the side
const allWeights = cells.flatMap((cell, to) => cell.sources.map(([from, node]) => ({ parameter: node - width, from, to })));
let lines = []; // for each weight {path, parameter, from, to}

const isPhone = () => matchMedia("(max-width: 700px)").matches;

// Give every unit its place: layers side by side, each centred.
function placeTiles(across, down) {
  const left = isPhone() ? 26 : 46;
  const right = isPhone() ? ROOM.narrow : ROOM.wide;
  tiles = [];
  for (const [l, layer] of layers.entries()) {
    const pitch = Math.min((down - HEADING - 4) / layer.length, MOST_TILE * 1.35);
    const fits = 2 * Math.floor(Math.min(pitch * 0.84, MOST_TILE) / 2); // whole pixels: sharp, and printed right
    const size = Math.max(fits, LEAST_TILE);
    const column = left + size / 2 + ((across - left - right - MOST_TILE) * l) / Math.max(1, layers.length - 1);
    for (const [i, c] of layer.entries()) {
      const y = HEADING + (down - HEADING) / 2 + (i - (layer.length - 1) / 2) * pitch;
      tiles[c] = { x: Math.round(column), y: Math.round(y), size };
    }
  }
}

function layOutNetwork() {
  const { across, down, context } = fitted($("tiles"));
  placeTiles(across, down);
  for (const id of ["lines", "cells"]) $(id).setAttribute("viewBox", `0 0 ${across} ${down}`);
  lines = allWeights.map((weight) => ({ ...weight, path: svgElement("path", { d: lineBetween(weight) }) }));
  $("lines").replaceChildren(svgElement("path", { id: "halo" }), ...lines.map((line) => line.path));
  $("cells").replaceChildren(...layers.flatMap(headed), ...cells.map((_, c) => cellElement(c)));
  return context;
}

function lineBetween(weight) {
  const [from, to] = [tiles[weight.from], tiles[weight.to]];
  const [x0, x1] = [from.x + from.size / 2, to.x - to.size / 2];
  const middle = (x0 + x1) / 2;
  return `M${x0},${from.y}C${middle},${from.y} ${middle},${to.y} ${x1},${to.y}`;
}

function headed(layer, l) {
  const { x } = tiles[layer[0]];
  const last = layers.length - 1;
  const name = l === 0 ? "input" : l === last ? "output" : `layer ${l}`;
  return svgElement("text", { class: "heading", x, y: 14 }, name);
}

function cellElement(c) {
  const { x, y, size } = tiles[c];
  const box = { x: x - size / 2, y: y - size / 2, width: size, height: size, rx: 2 };
  const isInput = cells[c].layer === 0;
  const button = svgElement(
    "g",
    {
      class: "button", id: `cell-${c}`, role: "button", tabindex: c === state.cell ? 0 : -1,
      onclick: () => openUnit(c), onfocus: () => { state.cell = c; },
      onkeydown: (event) => onCellKey(event, c),
    },
    svgElement("rect", { ...box, x: box.x - 3, y: box.y - 3, width: size + 6, height: size + 6, class: "target" }),
    svgElement("rect", { ...box, class: "border" }),
    svgElement("path", { class: "nothing", d: `M${box.x},${box.y}l${size},${size}m0,${-size}l${-size},${size}` }),
    svgElement("circle", { class: "mark", r: Math.min(4, size / 7) }),
  );
  const number = svgElement("text", { class: "number", x: x + size / 2 + 5, y: y + 4.5 });
  return svgElement("g", { class: isInput ? "cell input" : "cell" }, button, nameElement(c, isInput, { x, y, size }), number);
}

// A short name stands beside its unit; a long one, of an input, beneath it.
function nameElement(c, isInput, { x, y, size }) {
  const { name } = cells[c];
  if (!isInput) return svgElement("text", { class: "name", x: x + size / 2 + 5, y: y + 4.5 }, name);
  if (name.length <= 3) return svgElement("text", { class: "name before", x: x - size / 2 - 5, y: y + 4.5 }, name);
  const short = name.length > 12 ? `${name.slice(0, 11)}…` : name;
  return svgElement("text", { class: "name before under", x: Math.max(2, x - size / 2 - 40), y: y + size / 2 + 14 }, short);
}

function onCellKey(event, c) {
  const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Enter" || event.key === " ") openUnit(c);
  else if (move) focusCell((c + move + cells.length) % cells.length);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function focusCell(c) {
  $(`cell-${state.cell}`).setAttribute("tabindex", "-1");
  $(`cell-${c}`).setAttribute("tabindex", "0");
  $(`cell-${c}`).focus();
}

function drawNetwork() {
  drawLinesLegend(); // first, because it may take another line from the picture
  const context = layOutNetwork();
  drawLines();
  const { fields } = overPlane(state.at);
  for (const c of cells.keys()) drawTile(context, c, fields[c]);
  drawActivations(fields);
}

// An input that is the same all over the plane.
const isHeld = (c) => cells[c].layer === 0 && !plane.includes(c);

function drawTile(context, c, field) {
  const { x, y, size } = tiles[c];
  const most = greatest(field);
  const colour = isHeld(c) ? () => palette.constant : (p) => diverging(most ? field[p] / most : field[p]);
  paint(context, colour, x - size / 2, y - size / 2, size, size);
}

// The lines of the view: width by magnitude, colour and dashes by sign.
function drawLines() {
  const shown = lineNumbers(lines);
  const most = greatestLine();
  const thickest = Math.min(5, 60 / widest);
  for (const [i, { path }] of lines.entries()) {
    const x = shown[i];
    const share = Number.isFinite(x) ? Math.abs(x) / (most || 1) : 1;
    path.setAttribute("class", x < 0 ? "negative" : "positive");
    path.setAttribute("stroke-width", x === 0 ? "0" : (0.25 + thickest * share).toFixed(2));
    path.setAttribute("stroke-opacity", (0.15 + 0.85 * share).toFixed(2));
  }
  const moved = largestChange();
  const line = moved && lines.find(({ parameter }) => parameter === moved.parameter);
  $("halo").setAttribute("d", line ? line.path.getAttribute("d") : "");
}

// The number of the widest line; of weights that of the whole recorded, so that they are seen to grow.
const greatestLine = () => (state.view === "weights" ? greatestWeight : greatest(lineNumbers(allWeights)));

function drawLinesLegend() {
  const of = {
    weights: "weight w",
    products: `product w·x of example ${state.example}`,
    gradients: `∂L/∂w of ${state.example === null ? "the mean loss" : `the loss of example ${state.example}`}`,
    changes: "change of w",
  }[state.view];
  $("lines-legend").replaceChildren(
    element("span", { class: "positive" }, "━━ > 0"), " ", element("span", { class: "negative" }, "╍╍ < 0"),
    ` ${of}, at most ${number(greatestLine())}`,
  );
}

const greatestWeight = steps.reduce(
  (most, _, k) => Math.max(most, greatest(allWeights.map(({ parameter }) => parametersAt(k)[parameter]))), 0,
);

// What the selected example makes of every unit, and where it lies in every picture.
function drawActivations(fields) {
  const values = state.example === null ? null : activations(state.at, state.example);
  for (const [c, cell] of cells.entries()) {
    const button = $(`cell-${c}`);
    const group = button.parentElement;
    const { x, y, size } = tiles[c];
    group.classList.toggle("dead", !isHeld(c) && greatest(fields[c]) === 0);
    group.classList.toggle("held", isHeld(c));
    group.classList.toggle("lit", values !== null);
    group.style.setProperty("--layer", String(cell.layer));
    const mark = group.querySelector(".mark");
    if (values) {
      const [right, down] = placeInPlane(examples[state.example]);
      mark.setAttribute("cx", String(x - size / 2 + size * right));
      mark.setAttribute("cy", String(y - size / 2 + size * (plane.length === 2 ? down : 0.5)));
    }
    const text = group.querySelector(".number");
    text.textContent = values ? number(values[c]) : "";
    text.setAttribute("class", values && values[c] < 0 ? "number negative" : "number positive");
    const kind = cell.layer === 0 ? "input" : `${cell.activation || "linear"} unit of layer ${cell.layer}`;
    const given = values ? `, gives ${number(values[c])} for example ${state.example}` : "";
    button.setAttribute("aria-label", `${cell.name}, ${kind}${given}`);
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
