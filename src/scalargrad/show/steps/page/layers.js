// The layer view: the values and gradients of a layer h = σ(W x + b), as matrices.

const MAX_ROWS = 6; // maximum rows and columns of a matrix that is shown whole
const ROWS_SHOWN = 4; // rows and columns shown of a larger one

for (const layer of layers) layer.members = new Set(layer.gates);

// The layer of a stop in the layer view, or null.
function layerOf(stop) {
  const first = steps[stop[0]];
  return state.view !== "layer" || first.phase === "seed" || first.node === null ? null : layers.find((layer) => layer.members.has(first.node)) ?? null;
}

const numberAt = (x) => (x === null ? 0 : numberOf(x, state.sweep.data));
const column = (numbers) => numbers.map((x) => [x]);

// A letter with the layer's index and, if its weights are used several times, the call: W₁, x₁⁽²⁾.
function letter(name, { index, use }) {
  const isUsed = use !== null && !["W", "b"].includes(name);
  if (name === "y" && isUsed) return `<msup><mi>y</mi><mrow><mo>(</mo><mn>${use}</mn><mo>)</mo></mrow></msup>`;
  if (name === "y" || (name === "x" && index === 1 && !isUsed)) return `<mi>${name}</mi>`;
  const own = `<mi>${name}</mi><mn>${index}</mn>`;
  return isUsed ? `<msubsup>${own}<mrow><mo>(</mo><mn>${use}</mn><mo>)</mo></mrow></msubsup>` : `<msub>${own}</msub>`;
}

// The name of the inputs of a layer: the outputs of another layer, or x.
const inputLetter = (layer) => (layer.before === null ? letter("x", layer) : outputLetter(layers[layer.before]));
const outputLetter = (layer) => letter(isOutput(layer) && state.notation === "bar" ? "y" : layer.activation === null ? "z" : "h", layer);
const sumLetter = (layer) => (layer.activation === null ? outputLetter(layer) : letter("z", layer));

// The layers that no other layer reads; they are the outputs of the network if they are calls of one.
const finalLayers = layers.filter((layer, i) => layers.every(({ before }) => before !== i));
const isOutput = (layer) => finalLayers.includes(layer) && new Set(finalLayers.map(({ index }) => index)).size === 1;

// The error of a layer's sums z: z̄ in bar notation, else δ, which is for sums only.
const errorLetter = (layer) => (state.notation === "bar" ? layerGradient(sumLetter(layer)) : letter("δ", layer));

// The direction and the indices of weights, and the differences in lectures that use a notation.
const DIRECTION = "W[j,i], in row j and column i, leads from input i to unit j; both count from 0.";
const IN_LECTURES = {
  bar: " In lectures, wⱼᵢ counts from 1.",
  delta: " In lectures, wᵢⱼ leads from i to j and counts from 1, and the bias is w₀ⱼ, the weight of an input x₀ = 1.",
};

// The sentence of a layer, with its error in the current notation.
function layerSentence(layer, phase) {
  const error = isOutput(layer) && layer.activation === null ? "y\u0304" : "z\u0304";
  return state.notation === "bar" ? layer[phase].replaceAll("δ", error) : layer[phase];
}

// A matrix of numbers, abbreviated if it is large; `kind` is its colour.
function matrix(rows, kind) {
  const cut = (list) => (state.wholeMatrices || list.length <= MAX_ROWS ? list : list.slice(0, ROWS_SHOWN));
  const [across, down] = [cut(rows[0]).length < rows[0].length, cut(rows).length < rows.length];
  const tableRows = cut(rows).map((row) => {
    const cells = cut(row).map((x) => `<mtd>${MATHML.number(x)}</mtd>`);
    return `<mtr>${cells.join("")}${across ? "<mtd><mo>⋯</mo></mtd>" : ""}</mtr>`;
  });
  const width = cut(rows[0]).length + (across ? 1 : 0);
  if (down) tableRows.push(`<mtr>${"<mtd><mo>⋮</mo></mtd>".repeat(width)}</mtr>`);
  return `<mtable class="${kind}">${tableRows.join("")}</mtable>`;
}

// The size of a matrix that is abbreviated, else "".
function extent(rows) {
  const [down, across] = [rows.length, rows[0].length];
  if (state.wholeMatrices || Math.max(down, across) <= MAX_ROWS) return "";
  return `${down} × ${across}, first ${ROWS_SHOWN} shown`;
}

const math = (...pieces) => MATHML.finish(MATHML.join(pieces));
// The sign between a gradient and the contribution of a layer: = or, if it has other terms, a phrase.
const contributionSign = (isAlone) => (isAlone ? op("=") : MATHML.phrase("via this layer:"));
const op = (sign) => `<mo>${sign}</mo>`;
const transposed = (name) => `<msup>${name}<mi mathvariant="normal">T</mi></msup>`;
const gradientSign = (found) => op(relation(...found.map((i) => state.sweep.adjoints[i])));

// The sign between a product of matrices, or a product plus a column, and its result.
function productSign(left, right, computed, added = null) {
  const signs = computed.flatMap((row, i) => row.map((x, k) => {
    const terms = right.map((factors, j) => productAsShown(left[i][j], factors[k]));
    return resultRelation(sumOf([added ? numberAsShown(added[i][k]) : 0, ...terms]), x);
  }));
  return op(loosest(...signs));
}

// The matrices of a layer at the current inputs.
function layerNumbers(layer) {
  const { sweep } = state;
  const x = layer.x.map(numberAt);
  const delta = layer.z.map((i) => sweep.adjoints[i]);
  return {
    x: column(x),
    W: layer.W.map((row) => row.map(numberAt)),
    b: column(layer.b?.map(numberAt) ?? []),
    z: column(layer.z.map(numberAt)),
    h: column(layer.h.map(numberAt)),
    upstream: column(layer.h.map((i) => sweep.adjoints[i])),
    slope: column(layer.h.map((h, j) => sweep.locals[h][layer.operands[j]])),
    delta: column(delta),
    weights: delta.map((d) => x.map((value) => d * value)),
    passed: column(x.map((_, k) => layer.W.reduce((sum, row, j) => sum + numberAt(row[k]) * delta[j], 0))),
  };
}

// The explanation of a layer: lines of symbols, each with its numbers below, which may break before an
// operator.
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
  const isCut = lines.some(({ shown }) => shown.some((rows) => Math.max(rows.length, rows[0].length) > MAX_ROWS));
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
  const upstreamRule = next ? [op("="), transposed(letter("W", next)), errorLetter(next)] : [];
  const isSum = layer.activation === null && !isPartial; // the upstream gradient is the error of the sums
  const lines = [{ symbols: [isSum ? error : layerGradient(out), ...upstreamRule], numbers: [gradientSign(layer.h) + matrix(upstream, "gradient")], shown: [upstream] }];
  if (layer.activation === null) {
    if (isPartial) lines[0].symbols.unshift(error, op("="));
  } else {
    const isExpanded = next && state.notation !== "bar";
    const upstreamName = isExpanded ? [op("("), ...upstreamRule.slice(1), op(")")] : [layerGradient(out)];
    const prime = `<msup><mi>${escapeHtml(layer.activation)}</mi><mo>′</mo></msup>`;
    lines.push({
      symbols: [error, ...(isPartial ? [op("="), layerGradient(zn)] : []), op("="), ...upstreamName, op("∘"), prime, op("("), zn, op(")")],
      numbers: [matrix(upstream, "gradient"), op("∘") + matrix(slope, "local"), op(loosest(...delta.map(([x], j) => productRelation(upstream[j][0], slope[j][0], x)))) + matrix(delta, "gradient")],
      shown: [delta],
    });
  }
  const row = [x.map(([value]) => value)];
  lines.push({
    symbols: [layerGradient(Wn), contributionSign(layer.alone.W), error, transposed(input)],
    numbers: [matrix(delta, "gradient"), matrix(row, "value"), productSign(delta, row, weights) + matrix(weights, "gradient")],
    shown: [weights],
  });
  if (layer.b) lines.push({ symbols: [layerGradient(bn), contributionSign(layer.alone.b), error], numbers: [gradientSign(layer.z) + matrix(delta, "gradient")], shown: [delta] });
  if (layer.passes) {
    const columns = W[0].map((_, k) => W.map((weightsOf) => weightsOf[k]));
    lines.push({
      symbols: [layerGradient(input), contributionSign(layer.alone.x), transposed(Wn), error],
      numbers: [matrix(columns, "value"), matrix(delta, "gradient"), productSign(columns, delta, passed) + matrix(passed, "gradient")],
      shown: [passed],
    });
  }
  return lines;
}

// The gradient of the root with respect to a letter; errors of sums are written δ elsewhere.
function layerGradient(name) {
  return state.notation === "bar" ? MATHML.fillIn("bar", name) : MATHML.fillIn("partial", scripted(nodes[root].word), name);
}
