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

// Under the units, whose canvas is cleared for them.
function drawLines(context) {
  const moved = largestChange();
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  writeLines(looksOfLines(), moved && lines.find(({ parameter }) => parameter === moved.parameter));
}

// How each line of the view looks: width by magnitude, colour and dashes by sign. Those of the unit
// or the example that is chosen stand out.
function looksOfLines() {
  const shown = lineNumbers(lines);
  const most = greatestLine();
  const thickest = Math.min(5, 60 / Math.max(...training.layers.map((layer) => layer.length)));
  const isMeant = meantLines();
  return shown.map((x, i) => {
    const share = Number.isFinite(x) ? Math.round((WIDTHS * Math.abs(x)) / (most || 1)) / WIDTHS : 1;
    return {
      isNegative: x < 0,
      width: x === 0 ? 0 : 0.25 + thickest * share,
      opacity: isMeant === null ? 0.15 + 0.85 * share : isMeant[i] ? 1 : PALE,
    };
  });
}

function writeLines(looks, widened) {
  for (const [i, { isNegative, width, opacity }] of looks.entries()) {
    const { path } = lines[i];
    put(path, "class", isNegative ? "negative" : "positive");
    put(path, "stroke-width", width === 0 ? "0" : width.toFixed(2));
    put(path, "stroke-opacity", opacity.toFixed(2));
  }
  put($("halo"), "d", widened ? widened.d : "");
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
