// The layer view: what a layer h = σ(W x + b) computes and what flows back through it, as matrices.

const MOST_ROWS = 6; // a larger side of a matrix is cut off
const ROWS_SHOWN = 4;

for (const layer of layers) layer.members = new Set(layer.gates);

// The layer that a stop of the layer view is, if it is one.
function layerOf(stop) {
  const first = steps[stop[0]];
  return first.phase === "seed" || first.node === null ? null : layers.find((layer) => layer.members.has(first.node)) ?? null;
}

const numberAt = (x) => (x === null ? 0 : typeof x === "object" ? float(x.constant) : state.sweep.data[x]);
const column = (numbers) => numbers.map((x) => [x]);

// A letter with the layer's index and, where its weights are used more than once, the use: W₁, x₁⁽²⁾.
function letter(name, { index, use }) {
  if (name === "x" && index === 1 && use === null) return "<mi>x</mi>";
  const own = `<mi>${name}</mi><mn>${index}</mn>`;
  const isUsed = use !== null && !["W", "b"].includes(name);
  return isUsed ? `<msubsup>${own}<mrow><mo>(</mo><mn>${use}</mn><mo>)</mo></mrow></msubsup>` : `<msub>${own}</msub>`;
}

// The name of what a layer reads: the outputs of another one, or x.
const inputLetter = (layer) => (layer.before === null ? letter("x", layer) : outputLetter(layers[layer.before]));
const outputLetter = (layer) => letter(layer.activation === null ? "z" : "h", layer);

// A matrix of numbers, the rest of a large one left out; `kind` is the colour of what it holds.
function matrix(rows, kind) {
  const cut = (list) => (state.wholeMatrices || list.length <= MOST_ROWS ? list : list.slice(0, ROWS_SHOWN));
  const [across, down] = [cut(rows[0]).length < rows[0].length, cut(rows).length < rows.length];
  const written = cut(rows).map((row) => {
    const cells = cut(row).map((x) => `<mtd>${numberIn(MATHML, x)}</mtd>`);
    return `<mtr>${cells.join("")}${across ? "<mtd><mo>⋯</mo></mtd>" : ""}</mtr>`;
  });
  const width = cut(rows[0]).length + (across ? 1 : 0);
  if (down) written.push(`<mtr>${"<mtd><mo>⋮</mo></mtd>".repeat(width)}</mtr>`);
  return `<mtable class="${kind}">${written.join("")}</mtable>`;
}

// How large a matrix is, where not all of it is shown.
function extent(rows) {
  const [down, across] = [rows.length, rows[0].length];
  if (state.wholeMatrices || Math.max(down, across) <= MOST_ROWS) return "";
  return `${down} × ${across}, first ${ROWS_SHOWN} shown`;
}

const math = (...pieces) => MATHML.finish(mrow(pieces));
// What relates a gradient to what a layer contributes: it is that, or that is one of its terms.
const isOrHas = (isAlone) => (isAlone ? op("=") : MATHML.phrase("by this layer:"));
const op = (sign) => `<mo>${sign}</mo>`;
const transposed = (name) => `<msup>${name}<mi mathvariant="normal">T</mi></msup>`;
const roundedSign = (...tables) => op(relation(...tables.flat(2)));

// The numbers of a layer at the inputs as they are.
function layerNumbers(layer) {
  const { sweep } = state;
  const x = layer.x.map(numberAt);
  const delta = layer.z.map((i) => sweep.signals[i]);
  return {
    x: column(x),
    W: layer.W.map((row) => row.map(numberAt)),
    b: column(layer.b?.map(numberAt) ?? []),
    z: column(layer.z.map(numberAt)),
    h: column(layer.h.map(numberAt)),
    upstream: column(layer.h.map((i) => sweep.signals[i])),
    slope: column(layer.slopes.map((way) => way.reduce((slope, [gate, operand]) => slope * sweep.locals[gate][operand], 1))),
    delta: column(delta),
    weights: delta.map((d) => x.map((value) => d * value)),
    passed: column(x.map((_, k) => layer.W.reduce((sum, row, j) => sum + numberAt(row[k]) * delta[j], 0))),
  };
}

// What a stop of the layer view says of its layer: lines of symbols, each with its numbers below.
function explainLayer(layer, phase) {
  const found = layerNumbers(layer);
  const lines = phase === "forward" ? forwardLines(layer, found) : backwardLines(layer, found);
  const blocks = lines.map(({ symbols, numbers, shown }) => {
    const sizes = [...new Set(shown.map(extent).filter(Boolean))];
    return element(
      "div",
      { class: "matrix-line", tabindex: "0", role: "group", "aria-label": "Matrix line" },
      mathElement("div", math(...symbols)),
      element("div", { class: "matrices" }, ...phrases(numbers).map((phrase) => mathElement("span", math(...phrase)))),
      sizes.length ? element("p", { class: "extent" }, sizes.join("; ")) : null,
    );
  });
  const isCut = lines.some(({ shown }) => shown.some((rows) => Math.max(rows.length, rows[0].length) > MOST_ROWS));
  return [element("p", { class: "sentence" }, layer[phase]), ...blocks, ...(isCut ? [wholeSwitch()] : [])];
}

// The pieces of a line where it may be broken: before an operator, which stays with what follows.
function phrases(pieces) {
  const made = [];
  let waiting = [];
  for (const piece of pieces) {
    waiting.push(piece);
    if (piece.startsWith("<mo>")) continue;
    made.push(waiting);
    waiting = [];
  }
  return made;
}

function wholeSwitch() {
  const box = element("input", { type: "checkbox", id: "whole", checked: state.wholeMatrices, onchange: () => {
    state.wholeMatrices = box.checked;
    drawPanel();
    $("whole").focus();
  } });
  return element("label", { class: "whole" }, box, " Show every row and column");
}

function forwardLines(layer, { W, x, b, z, h }) {
  const [Wn, xn, bn, zn] = ["W", "x", "b", "z"].map((name) => letter(name, layer));
  const input = layer.before === null ? xn : inputLetter(layer);
  const plus = layer.b ? [op("+"), bn] : [];
  const sum = {
    symbols: [zn, op("="), Wn, input, ...plus],
    numbers: [matrix(W, "value"), matrix(x, "value"), ...(layer.b ? [op("+"), matrix(b, "value")] : []), roundedSign(W, x, b, z), matrix(z, "value")],
    shown: [W, x],
  };
  if (layer.activation === null) return [sum];
  const name = `<mi>${escapeHtml(layer.activation)}</mi>`;
  return [sum, {
    symbols: [outputLetter(layer), op("="), name, op("("), zn, op(")")],
    numbers: [name, matrix(z, "value"), roundedSign(z, h), matrix(h, "value")],
    shown: [z],
  }];
}

function backwardLines(layer, found) {
  const { x, upstream, slope, delta, weights, passed, W } = found;
  const [Wn, bn, zn] = ["W", "b", "z"].map((name) => letter(name, layer));
  const [out, input] = [outputLetter(layer), inputLetter(layer)];
  const deltaName = letter("δ", layer);
  const next = layer.next === null ? null : layers[layer.next];
  const arriving = next ? [op("="), transposed(letter("W", next)), letter("δ", next)] : [];
  const lines = [{ symbols: [layerSignal(out), ...arriving], numbers: [op("="), matrix(upstream, "gradient")], shown: [upstream] }];
  if (layer.activation === null) lines[0].symbols.unshift(deltaName, op("="));
  else {
    const prime = `<msup><mi>${escapeHtml(layer.activation)}</mi><mo>′</mo></msup>`;
    lines.push({
      symbols: [deltaName, op("="), layerSignal(zn), op("="), ...(next ? [op("("), ...arriving.slice(1), op(")")] : [layerSignal(out)]), op("∘"), prime, op("("), zn, op(")")],
      numbers: [matrix(upstream, "gradient"), op("∘"), matrix(slope, "local"), roundedSign(upstream, slope, delta), matrix(delta, "gradient")],
      shown: [delta],
    });
  }
  lines.push({
    symbols: [layerSignal(Wn), isOrHas(layer.alone.W), deltaName, transposed(input)],
    numbers: [matrix(delta, "gradient"), matrix([x.map(([value]) => value)], "value"), roundedSign(delta, x, weights), matrix(weights, "gradient")],
    shown: [weights],
  });
  if (layer.b) lines.push({ symbols: [layerSignal(bn), isOrHas(layer.alone.b), deltaName], numbers: [op("="), matrix(delta, "gradient")], shown: [delta] });
  if (layer.passes) lines.push({
    symbols: [layerSignal(input), isOrHas(layer.alone.x), transposed(Wn), deltaName],
    numbers: [matrix(W[0].map((_, k) => W.map((row) => row[k])), "value"), matrix(delta, "gradient"), roundedSign(W, delta, passed), matrix(passed, "gradient")],
    shown: [passed],
  });
  return lines;
}

// The gradient of the root by something that has a letter, as the notation writes it.
function layerSignal(name) {
  const { notation } = state;
  if (notation === "bar") return `<mover accent="true">${name}<mo>¯</mo></mover>`;
  if (notation === "delta") return `<msub><mi>δ</mi>${name}</msub>`;
  return `<mfrac>${mrow(["<mo>∂</mo>", mi(nodes[root].word)])}${mrow(["<mo>∂</mo>", name])}</mfrac>`;
}
