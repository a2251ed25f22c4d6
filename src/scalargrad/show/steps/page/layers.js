// The layer view: what a layer h = σ(W x + b) computes and what flows back through it, as matrices.

const MOST_ROWS = 6; // a larger side of a matrix is cut off
const ROWS_SHOWN = 4;

for (const layer of layers) layer.members = new Set(layer.gates);

// The layer that a stop is, if it is one.
function layerOf(stop) {
  const first = steps[stop[0]];
  return state.view !== "layer" || first.phase === "seed" || first.node === null ? null : layers.find((layer) => layer.members.has(first.node)) ?? null;
}

const numberAt = (x) => (x === null ? 0 : numberOf(x, state.sweep.data));
const column = (numbers) => numbers.map((x) => [x]);

// A letter with the layer's index and, where its weights are used more than once, the use: W₁, x₁⁽²⁾.
function letter(name, { index, use }) {
  const isUsed = use !== null && !["W", "b"].includes(name);
  if (name === "y" && isUsed) return `<msup><mi>y</mi><mrow><mo>(</mo><mn>${use}</mn><mo>)</mo></mrow></msup>`;
  if (name === "y" || (name === "x" && index === 1 && !isUsed)) return `<mi>${name}</mi>`;
  const own = `<mi>${name}</mi><mn>${index}</mn>`;
  return isUsed ? `<msubsup>${own}<mrow><mo>(</mo><mn>${use}</mn><mo>)</mo></mrow></msubsup>` : `<msub>${own}</msub>`;
}

// The name of what a layer reads: the outputs of another one, or x.
const inputLetter = (layer) => (layer.before === null ? letter("x", layer) : outputLetter(layers[layer.before]));
const outputLetter = (layer) => letter(isOutput(layer) && state.notation === "bar" ? "y" : layer.activation === null ? "z" : "h", layer);
const sumLetter = (layer) => (layer.activation === null ? outputLetter(layer) : letter("z", layer));

// The layers that no other reads, if they are calls of one: the outputs of the network.
const finalLayers = layers.filter((layer, i) => layers.every(({ before }) => before !== i));
const isOutput = (layer) => finalLayers.includes(layer) && new Set(finalLayers.map(({ index }) => index)).size === 1;

// The error of a layer's sums z: with a bar as every other, else δ, which is written of nothing else.
const errorLetter = (layer) => (state.notation === "bar" ? layerSignal(sumLetter(layer)) : letter("δ", layer));

// Which way a weight leads and where its indices start, and what is otherwise in the lectures that have
// the notation.
const DIRECTION = "W[j,i], in row j and column i, leads from input i to unit j; both count from 0.";
const IN_LECTURES = {
  bar: " In lectures, wⱼᵢ counts from 1.",
  delta: " In lectures, wᵢⱼ leads from i to j and counts from 1, and the bias is w₀ⱼ, the weight of an input x₀ = 1.",
};

// What a layer does in words; its error has the letter of the notation.
function layerSentence(layer, phase) {
  const error = isOutput(layer) && layer.activation === null ? "y\u0304" : "z\u0304";
  return state.notation === "bar" ? layer[phase].replaceAll("δ", error) : layer[phase];
}

// A matrix of numbers, the rest of a large one left out; `kind` is the colour of what it holds.
function matrix(rows, kind) {
  const cut = (list) => (state.wholeMatrices || list.length <= MOST_ROWS ? list : list.slice(0, ROWS_SHOWN));
  const [across, down] = [cut(rows[0]).length < rows[0].length, cut(rows).length < rows.length];
  const written = cut(rows).map((row) => {
    const cells = cut(row).map((x) => `<mtd>${MATHML.number(x)}</mtd>`);
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

const math = (...pieces) => MATHML.finish(MATHML.join(pieces));
// What relates a gradient to what a layer contributes: it is that, or that is one of its terms.
const isOrHas = (isAlone) => (isAlone ? op("=") : MATHML.phrase("via this layer:"));
const op = (sign) => `<mo>${sign}</mo>`;
const transposed = (name) => `<msup>${name}<mi mathvariant="normal">T</mi></msup>`;
const gradientSign = (found) => op(relation(...found.map((i) => state.sweep.signals[i])));

// The sign between a product of matrices, or that plus a column, and what was computed.
function productSign(left, right, computed, added = null) {
  const signs = computed.flatMap((row, i) => row.map((x, k) => {
    const terms = right.map((factors, j) => shownProduct(left[i][j], factors[k]));
    return resultRelation(sumOf([added ? shownNumber(added[i][k]) : 0, ...terms]), x);
  }));
  return op(loosest(...signs));
}

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
    slope: column(layer.h.map((h, j) => sweep.locals[h][layer.operands[j]])),
    delta: column(delta),
    weights: delta.map((d) => x.map((value) => d * value)),
    passed: column(x.map((_, k) => layer.W.reduce((sum, row, j) => sum + numberAt(row[k]) * delta[j], 0))),
  };
}

// What a stop of the layer view says of its layer: lines of symbols, each with its numbers below, which may
// be broken before an operator.
function explainLayer(layer, phase) {
  const found = layerNumbers(layer);
  const lines = phase === "forward" ? forwardLines(layer, found) : backwardLines(layer, found);
  const blocks = lines.map(({ symbols, numbers, shown }) => {
    const sizes = [...new Set(shown.map(extent).filter(Boolean))];
    return element(
      "div",
      { class: "matrix-line", tabindex: "0", role: "group", "aria-label": "Matrix line" },
      mathElement("div", math(...symbols)),
      element("div", { class: "matrices" }, ...numbers.map((piece) => mathElement("span", math(piece)))),
      sizes.length ? element("p", { class: "extent" }, sizes.join("; ")) : null,
    );
  });
  const isCut = lines.some(({ shown }) => shown.some((rows) => Math.max(rows.length, rows[0].length) > MOST_ROWS));
  const direction = element("p", { class: "note direction" }, DIRECTION + (IN_LECTURES[state.notation] ?? ""));
  return [element("p", { class: "sentence" }, layerSentence(layer, phase)), ...blocks, ...(isCut ? [wholeSwitch()] : []), direction];
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
  const [Wn, xn, bn] = ["W", "x", "b"].map((name) => letter(name, layer));
  const zn = sumLetter(layer);
  const input = layer.before === null ? xn : inputLetter(layer);
  const plus = layer.b ? [op("+"), bn] : [];
  const sum = {
    symbols: [zn, op("="), Wn, input, ...plus],
    numbers: [matrix(W, "value"), matrix(x, "value"), ...(layer.b ? [op("+") + matrix(b, "value")] : []), productSign(W, x, z, layer.b ? b : null) + matrix(z, "value")],
    shown: [W, x],
  };
  if (layer.activation === null) return [sum];
  const name = `<mi>${escapeHtml(layer.activation)}</mi>`;
  return [sum, {
    symbols: [outputLetter(layer), op("="), name, op("("), zn, op(")")],
    numbers: [name + matrix(z, "value"), activationSign(layer) + matrix(h, "value")],
    shown: [z],
  }];
}

// The sign between activations, in numbers, and their results.
const activationSign = (layer) => op(loosest(...layer.h.map((h) => gateAt(state.sweep, h).relation)));

function backwardLines(layer, found) {
  const { x, upstream, slope, delta, weights, passed, W } = found;
  const [Wn, bn] = ["W", "b"].map((name) => letter(name, layer));
  const [out, input, zn] = [outputLetter(layer), inputLetter(layer), sumLetter(layer)];
  const isPartial = state.notation === "partial";
  const error = errorLetter(layer);
  const next = layer.next === null ? null : layers[layer.next];
  const arriving = next ? [op("="), transposed(letter("W", next)), errorLetter(next)] : [];
  const isSum = layer.activation === null && !isPartial; // what arrives is the error of the sums
  const lines = [{ symbols: [isSum ? error : layerSignal(out), ...arriving], numbers: [gradientSign(layer.h) + matrix(upstream, "gradient")], shown: [upstream] }];
  if (layer.activation === null) {
    if (isPartial) lines[0].symbols.unshift(error, op("="));
  } else {
    const isExpanded = next && state.notation !== "bar";
    const upstreamName = isExpanded ? [op("("), ...arriving.slice(1), op(")")] : [layerSignal(out)];
    const prime = `<msup><mi>${escapeHtml(layer.activation)}</mi><mo>′</mo></msup>`;
    lines.push({
      symbols: [error, ...(isPartial ? [op("="), layerSignal(zn)] : []), op("="), ...upstreamName, op("∘"), prime, op("("), zn, op(")")],
      numbers: [matrix(upstream, "gradient"), op("∘") + matrix(slope, "local"), op(loosest(...delta.map(([x], j) => productRelation(upstream[j][0], slope[j][0], x)))) + matrix(delta, "gradient")],
      shown: [delta],
    });
  }
  const row = [x.map(([value]) => value)];
  lines.push({
    symbols: [layerSignal(Wn), isOrHas(layer.alone.W), error, transposed(input)],
    numbers: [matrix(delta, "gradient"), matrix(row, "value"), productSign(delta, row, weights) + matrix(weights, "gradient")],
    shown: [weights],
  });
  if (layer.b) lines.push({ symbols: [layerSignal(bn), isOrHas(layer.alone.b), error], numbers: [gradientSign(layer.z) + matrix(delta, "gradient")], shown: [delta] });
  if (layer.passes) {
    const columns = W[0].map((_, k) => W.map((weightsOf) => weightsOf[k]));
    lines.push({
      symbols: [layerSignal(input), isOrHas(layer.alone.x), transposed(Wn), error],
      numbers: [matrix(columns, "value"), matrix(delta, "gradient"), productSign(columns, delta, passed) + matrix(passed, "gradient")],
      shown: [passed],
    });
  }
  return lines;
}

// The gradient of the root by something that has a letter; δ is written of sums alone, elsewhere.
function layerSignal(name) {
  return state.notation === "bar" ? MATHML.put("bar", name) : MATHML.put("partial", scripted(nodes[root].word), name);
}
