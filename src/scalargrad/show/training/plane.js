// The outputs of the network over the plane, with the examples; a curve if there is only one input.

const isPlane = plane.length === 2;
const MAX_HELD = 3; // maximum number of other inputs listed with their values
const AXIS_MARGIN = 12; // space around the numbers of the vertical axis, in pixels
const MARGIN = { left: 40, right: 8, top: 8, bottom: 24 }; // the left one grows with the numbers of the axis
const classSpread = task.kind === "threshold" ? (Math.max(...task.targets) - Math.min(...task.targets)) / 2 || 1 : 1;
const numbers = task.targets.flat();
const targetRange = [Math.min(...numbers), Math.max(...numbers)];
let room = { left: 0, top: 0, across: 0, down: 0 }; // the plane's rectangle
let canvasOfPlane = null;
let boundaryLines = [];
let answerLines = [];
let points = []; // the element of each example

const toRight = (share) => room.left + room.across * share;
const toDown = (share) => room.top + room.down * share;

// Create the parts of the picture, for another size.
function layOutPlane() {
  const { context, across, down } = fitCanvas($("field"));
  canvasOfPlane = context;
  const inside = { across: across - MARGIN.left - MARGIN.right, down: down - MARGIN.top - MARGIN.bottom };
  const side = Math.floor(Math.min(inside.across, inside.down));
  room = isPlane ? { across: side, down: side } : inside;
  room.left = Math.round(MARGIN.left + (inside.across - room.across) / 2);
  room.top = Math.round(MARGIN.top + (inside.down - room.down) / 2);
  $("points").setAttribute("viewBox", `0 0 ${across} ${down}`);
  boundaryLines = isPlane ? ["boundary under", "boundary"].map((name) => svgElement("path", { class: name })) : [];
  boundaryLines[1]?.setAttribute("id", "boundary");
  answerLines = isPlane ? [] : training.model.outputs.map((_, o) => svgElement("polyline", { class: `answer ${classColour(o)}` }));
  points = [...examples.keys()].map(pointElement);
  const edge = svgElement("rect", { class: "edge", x: room.left, y: room.top, width: room.across, height: room.down });
  $("points").replaceChildren(svgElement("g", { id: "axes" }), ...boundaryLines, edge, ...answerLines, ...points);
  $("axes").replaceChildren(...axes());
  if (needsMargin()) layOutPlane();
}

// Widen the left margin if a number of the vertical axis is wider; return whether it was.
function needsMargin() {
  const wide = [...document.querySelectorAll("#axes .tick.up")].map((text) => text.getComputedTextLength());
  const isTooNarrow = Math.max(0, ...wide) + AXIS_MARGIN > MARGIN.left;
  if (isTooNarrow) MARGIN.left = Math.ceil(Math.max(...wide)) + AXIS_MARGIN;
  return isTooNarrow;
}

function drawPlane() {
  if (isPlane && isFine()) drawField(training.outputsOverFinePlane(state.at, sliceThrough()), fineGrid);
  else if (isPlane) drawField(training.fieldsOverPlane(state.at, sliceThrough()).outputs, gridSize);
  else drawCurves(training.fieldsOverPlane(state.at, sliceThrough()).outputs);
  drawPoints();
}

const isFine = () => !state.isMoving && task.classes.length > 0 && training.parameterCount * fineGrid.across * fineGrid.down <= FINE_WORK;

// The pixels of all points: the colour of their class, stronger for larger margins, or of the output.
function fieldPixels(outputs) {
  if (task.kind === "threshold") {
    const confidence = (y) => {
      const d = y - task.threshold;
      return Number.isFinite(d) ? (0.65 * d) / (Math.abs(d) + classSpread) : d > 0 ? 0.65 : -0.65;
    };
    return divergingPixels(outputs[0].map(confidence), 1);
  }
  if (task.kind === "number") {
    const [low, high] = targetRange;
    const [middle, half] = [(low + high) / 2, (high - low) / 2 || 1];
    return divergingPixels(outputs[0].map((y) => 0.8 * (y - middle)), half);
  }
  return Uint32Array.from(outputs[0], (_, p) => {
    const scores = outputs.map((field) => field[p]);
    const c = predictedClass(scores);
    const lead = scores[c] - Math.max(...scores.filter((_, i) => i !== c));
    return c < 0 ? shades.constant[SHADES] : shadedPixel(classColour(c), 0.12 + (0.5 * lead) / (lead + 1));
  });
}

// The fields whose zeros are the boundary.
function boundaries(outputs) {
  if (task.kind === "threshold") return [outputs[0].map((x) => x - task.threshold)];
  if (task.kind === "number") return [];
  return outputs.map((field, c) => field.map((x, p) => x - Math.max(...outputs.filter((_, i) => i !== c).map((other) => other[p]))));
}

// The pieces of all boundaries; between grid points the model is evaluated.
function boundaryPieces(outputs, grid) {
  return boundaries(outputs).flatMap((field, c) => contour(field, grid, (places) => {
    const points = places.map((place) => gridPoint(...place, grid));
    return [...boundaries(training.outputsAt(state.at, sliceThrough(), points))[c]].map((x) => x > 0);
  }));
}

function drawField(outputs, grid) {
  paint(canvasOfPlane, fieldPixels(outputs), room.left, room.top, room.across, room.down, grid);
  const d = boundaryPieces(outputs, grid)
    .map((piece) => `M${piece.map(([x, y]) => `${toRight(x).toFixed(2)},${toDown(y).toFixed(2)}`).join("L")}`)
    .join("");
  for (const line of boundaryLines) put(line, "d", d);
}

// With one input: the outputs over it.
const curveRange = () => {
  const { outputs } = training.fieldsOverPlane(state.at, sliceThrough());
  const seen = [...numbers, ...outputs.flatMap((field) => [...field])].filter(Number.isFinite);
  const [low, high] = [Math.min(...seen), Math.max(...seen)];
  const margin = (high - low || 1) * 0.08;
  return [low - margin, high + margin];
};

function drawCurves(outputs) {
  const [low, high] = curveRange();
  $("axes").replaceChildren(...axes());
  if (needsMargin()) layOutPlane();
  for (const [o, field] of outputs.entries()) {
    const places = [...field].map((y, p) => `${toRight(p / (gridSize.across - 1))},${toDown((high - y) / (high - low))}`);
    answerLines[o].setAttribute("points", places.join(" "));
  }
}

// Round numbers along an extent.
function ticks([low, high], count = 5) {
  const grain = roundAbove((high - low) / count);
  const first = Math.ceil(low / grain);
  return [...Array(Math.floor(high / grain) - first + 1).keys()].map((i) => Number(((first + i) * grain).toPrecision(6)));
}

function axes() {
  const parts = [];
  const bottom = room.top + room.down;
  const [left, right] = extents[0];
  for (const x of ticks(extents[0])) {
    parts.push(svgElement("text", { class: "tick", x: toRight((x - left) / (right - left)), y: bottom + 15 }, number(x)));
  }
  const vertical = isPlane ? extents[1] : curveRange();
  const [low, high] = vertical;
  for (const y of ticks(vertical)) {
    parts.push(svgElement("text", { class: "tick up", x: room.left - 5, y: toDown((high - y) / (high - low)) + 4.5 }, number(y)));
  }
  const names = isPlane ? plane.map((axis) => recorded.units[axis].name) : [recorded.units[0].name, "y"];
  const short = names.map(truncateName);
  parts.push(svgElement("text", { class: "axis", x: room.left + room.across - 4, y: bottom - 6 }, short[0]));
  parts.push(svgElement("text", { class: "axis up", x: room.left + 6, y: room.top + 16 }, short[1]));
  return parts;
}

// A function that returns the position of an example in the picture.
function examplePositions() {
  if (isPlane) {
    return (i) => {
      const [right, down] = placeInPlane(examples[i]);
      return [toRight(right), toDown(down)];
    };
  }
  const [low, high] = curveRange();
  return (i) => [toRight(placeInPlane(examples[i])[0]), toDown((high - [task.targets[i]].flat()[0]) / (high - low))];
}

const targetText = (i) => (task.classes.length ? `class ${task.names[task.classes[i]]}` : `target ${[task.targets[i]].flat().map(number).join(", ")}`);

// The element of an example, with its class by marker and colour.
function pointElement(i) {
  const c = task.classes[i];
  const [kind, d] = task.classes.length ? [`marker ${classColour(c)}`, marker(c, pointSize)] : ["marker", circle(pointSize)];
  const outline = svgElement("path", { class: kind, d });
  if (!task.classes.length) outline.style.setProperty("--own", targetColour(i));
  const chooseBy = (by) => chooseExample(by === null ? null : (i + by + examples.length) % examples.length, { focus: true });
  const group = svgElement(
    "g",
    { class: "point", id: `point-${i}`, role: "button", onkeydown: (event) => onShapeKey(event, chooseBy, () => chooseBy(state.example === i ? null : 0)) },
    svgElement("circle", { class: "ring", r: pointSize + 6 }),
    svgElement("circle", { class: "miss", r: pointSize + 4 }),
    outline,
  );
  return group;
}

const pointSize = examples.length > 300 ? 3.2 : 5;

// Draw the examples, with rings around the misclassified ones and the selected one.
function drawPoints() {
  const { outputs } = training.answers(state.at);
  const place = examplePositions();
  for (const [i, group] of points.entries()) {
    const wrong = task.classes.length > 0 && predictedClass(outputs[i]) !== task.classes[i];
    const isChosen = i === state.example;
    const [x, y] = place(i);
    put(group, "transform", `translate(${x.toFixed(1)},${y.toFixed(1)})`);
    put(group, "aria-pressed", String(isChosen));
    put(group, "aria-label", `${nameOfExample(i)}, ${targetText(i)}${wrong ? ", answered wrongly" : ""}`);
    put(group, "tabindex", i === (state.example ?? 0) ? "0" : "-1");
    group.classList.toggle("wrong", wrong);
    group.classList.toggle("chosen", isChosen);
  }
}

// The colour of a numerical target, on the scale of the outputs.
function targetColour(i) {
  const [low, high] = targetRange;
  const shade = (2 * [task.targets[i]].flat()[0] - low - high) / (high - low || 1);
  return `color-mix(in srgb, var(--${shade < 0 ? "gradient" : "value"}) ${100 * FULL * Math.abs(shade)}%, var(--paper))`;
}

// A click or touch in the plane selects the nearest example; a second one deselects it.
function onPlaneClick(event) {
  const box = $("points").getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const place = examplePositions();
  const distances = [...examples.keys()].map((i) => Math.hypot(place(i)[0] - x, place(i)[1] - y));
  const nearest = distances.indexOf(Math.min(...distances));
  if (distances[nearest] > 40) chooseExample(null);
  else chooseExample(nearest === state.example ? null : nearest);
}

function drawPlaneLegend() {
  const parts = task.names.map((name, c) => element(
    "span", {},
    svgElement("svg", { class: "icon-marker", viewBox: "-7 -7 14 14", "aria-hidden": "true" }, svgElement("path", { class: `marker ${classColour(c)}`, d: marker(c, 5) })),
    ` ${name}`,
  ));
  if (task.classes.length) parts.push(element("span", {}, svgElement("svg", { class: "icon-marker", viewBox: "-9 -9 18 18", "aria-hidden": "true" }, svgElement("circle", { class: "miss", r: 7 })), " wrong"));
  if (!isPlane) parts.push(element("span", {}, "points: targets, line: output"));
  else if (task.kind === "number") parts.push(element("span", {}, `colour: ${training.model.outputs.length > 1 ? "first " : ""}output, ${number(targetRange[0])} … ${number(targetRange[1])}`));
  if (others.length) parts.push(element("span", { id: "slice" }, sliceSentence()));
  $("plane-legend").replaceChildren(...parts);
}

// With more than two inputs: the position of the slice, and a note that examples are not in it.
function sliceSentence() {
  const through = sliceThrough();
  const held = others.map((axis) => `${training.units[axis].name} ${equalTo(pointOfSlice(through)[axis])}`);
  const which = held.length > MAX_HELD ? `the ${held.length} other inputs` : held.join(", ");
  const whose = through === null ? "the mean of all examples" : nameOfExample(through);
  const off = through === null ? "Examples" : "The others";
  return `Slice at ${which} (${whose}). ${off} are not in the slice: the colour at an example is not its output.`;
}

// Contours: the lines on which a field over the plane, such as output minus threshold, is 0.

const HALVINGS = 4; // bisection steps on an edge of the grid; the error is at most 1/32 of the edge

// The edges of the grid whose ends have different signs, each as two [column, row].
function crossedEdges(field, { across, down }) {
  const isAbove = (column, row) => field[row * across + column] > 0;
  const crossed = [];
  for (let row = 0; row < down; row += 1) {
    for (let column = 0; column < across; column += 1) {
      const here = isAbove(column, row);
      if (column + 1 < across && isAbove(column + 1, row) !== here) crossed.push([[column, row], [column + 1, row]]);
      if (row + 1 < down && isAbove(column, row + 1) !== here) crossed.push([[column, row], [column, row + 1]]);
    }
  }
  return crossed;
}

// The zero of the field on each edge, by bisection. Linear interpolation would draw stairs near saturated
// units and units whose output is exactly 0.
function crossings(field, grid, edges, isAboveAt) {
  const bounds = edges.map(() => [0, 1]);
  const starts = edges.map(([[column, row]]) => field[row * grid.across + column] > 0);
  for (let i = 0; i < HALVINGS; i += 1) {
    const middles = bounds.map(([low, high]) => (low + high) / 2);
    const isAbove = isAboveAt(edges.map((edge, e) => between(edge, middles[e])));
    for (const [e, bound] of bounds.entries()) bound[isAbove[e] === starts[e] ? 0 : 1] = middles[e];
  }
  return bounds.map(([low, high], e) => between(edges[e], (low + high) / 2));
}

const between = ([from, to], share) => from.map((x, axis) => x + (to[axis] - x) * share);

// The zero contour of a field, as lines between edges of the grid, in shares of its width and height.
// `isAboveAt` returns whether the field is positive at points between the grid points.
function contour(field, grid, isAboveAt) {
  const { across, down } = grid;
  const edges = crossedEdges(field, grid);
  const found = new Map(crossings(field, grid, edges, isAboveAt).map((place, e) => [edges[e].flat().join(), place]));
  const pieces = [];
  for (const corner of new Set(edges.flatMap((edge) => squaresBeside(edge, grid)))) {
    const [column, row] = [corner % across, Math.floor(corner / across)];
    const places = sidesOf(column, row).map((side) => found.get(side)).filter(Boolean);
    for (let i = 0; i + 1 < places.length; i += 2) {
      pieces.push([places[i], places[i + 1]].map(([x, y]) => [x / (across - 1), y / (down - 1)]));
    }
  }
  return pieces;
}

// The squares of the grid on both sides of an edge, by the index of their upper left corner.
function squaresBeside([[column, row], [, end]], { across, down }) {
  const isUpright = end !== row;
  const other = isUpright ? [column - 1, row] : [column, row - 1];
  return [[column, row], other].filter(([x, y]) => x >= 0 && y >= 0 && x + 1 < across && y + 1 < down).map(([x, y]) => y * across + x);
}

// The four edges of a square, in order.
const sidesOf = (x, y) => [[x, y, x + 1, y], [x + 1, y, x + 1, y + 1], [x, y + 1, x + 1, y + 1], [x, y, x, y + 1]].map(String);
