// What the network answers over the plane, and the examples in it; with one input, a curve.

const isPlane = plane.length === 2;
const MARGIN = { left: 40, right: 8, top: 8, bottom: 24 };
const classSpread = task.kind === "threshold" ? (Math.max(...task.targets) - Math.min(...task.targets)) / 2 || 1 : 1;
const numbers = task.targets.flat();
const targetRange = [Math.min(...numbers), Math.max(...numbers)];
let room = { left: 0, top: 0, across: 0, down: 0 }; // the plane's rectangle

const toRight = (share) => room.left + room.across * share;
const toDown = (share) => room.top + room.down * share;

function layOutPlane() {
  const { context, across, down } = fitted($("field"));
  const inside = { across: across - MARGIN.left - MARGIN.right, down: down - MARGIN.top - MARGIN.bottom };
  const side = Math.floor(Math.min(inside.across, inside.down));
  room = isPlane ? { across: side, down: side } : inside;
  room.left = Math.round(MARGIN.left + (inside.across - room.across) / 2);
  room.top = Math.round(MARGIN.top + (inside.down - room.down) / 2);
  $("points").setAttribute("viewBox", `0 0 ${across} ${down}`);
  return context;
}

function drawPlane() {
  drawPlaneLegend(); // first, because it may take another line from the picture
  const context = layOutPlane();
  const { outputs } = overPlane(state.at);
  const drawn = isPlane ? drawField(context, outputs) : drawCurves(outputs);
  $("points").replaceChildren(...axes(), ...drawn, ...pointElements());
}

// The colour of a point: of its class, the stronger the surer; or of the number answered.
function fieldColour(outputs) {
  if (task.kind === "threshold") {
    return (p) => {
      const d = outputs[0][p] - task.threshold;
      return diverging(Number.isFinite(d) ? (0.65 * d) / (Math.abs(d) + classSpread) : d > 0 ? 0.65 : -0.65);
    };
  }
  if (task.kind === "number") {
    const [low, high] = targetRange;
    const [middle, half] = [(low + high) / 2, (high - low) / 2 || 1];
    return (p) => diverging((0.8 * (outputs[0][p] - middle)) / half);
  }
  return (p) => {
    const scores = outputs.map((field) => field[p]);
    const c = verdict(scores);
    const lead = scores[c] - Math.max(...scores.filter((_, i) => i !== c));
    return mixed(palette.paper, palette[`class${c % CLASS_COUNT}`], 0.12 + (0.5 * lead) / (lead + 1));
  };
}

// The boundary lies where these fields cross 0.
function boundaries(outputs) {
  if (task.kind === "threshold") return [outputs[0].map((x) => x - task.threshold)];
  if (task.kind === "number") return [];
  return outputs.map((field, c) => field.map((x, p) => x - Math.max(...outputs.filter((_, i) => i !== c).map((other) => other[p]))));
}

function drawField(context, outputs) {
  paint(context, fieldColour(outputs), room.left, room.top, room.across, room.down);
  const d = boundaries(outputs).flatMap(contour)
    .map((piece) => `M${piece.map(([x, y]) => `${toRight(x).toFixed(1)},${toDown(y).toFixed(1)}`).join("L")}`);
  return [
    svgElement("path", { class: "boundary under", d: d.join("") }),
    svgElement("path", { class: "boundary", id: "boundary", d: d.join("") }),
    svgElement("rect", { class: "edge", x: room.left, y: room.top, width: room.across, height: room.down }),
  ];
}

// With one input: the outputs over it.
const curveRange = () => {
  const { outputs } = overPlane(state.at);
  const seen = [...numbers, ...outputs.flatMap((field) => [...field])].filter(Number.isFinite);
  const [low, high] = [Math.min(...seen), Math.max(...seen)];
  const margin = (high - low || 1) * 0.08;
  return [low - margin, high + margin];
};

function drawCurves(outputs) {
  const [low, high] = curveRange();
  return [
    svgElement("rect", { class: "edge", x: room.left, y: room.top, width: room.across, height: room.down }),
    ...outputs.map((field, o) => svgElement("polyline", {
      class: `answer class${o % CLASS_COUNT}`,
      points: [...field].map((y, p) => `${toRight(p / (gridSize.across - 1))},${toDown((high - y) / (high - low))}`).join(" "),
    })),
  ];
}

// Round numbers along an extent.
function ticks([low, high], count = 5) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const grain = [1, 2, 5, 10].map((k) => k * power).find((x) => x >= rough);
  const first = Math.ceil(low / grain);
  return [...Array(Math.floor(high / grain) - first + 1).keys()].map((i) => Number(((first + i) * grain).toPrecision(6)));
}

function axes() {
  const made = [];
  const bottom = room.top + room.down;
  const [left, right] = extents[0];
  for (const x of ticks(extents[0])) {
    made.push(svgElement("text", { class: "tick", x: toRight((x - left) / (right - left)), y: bottom + 15 }, number(x)));
  }
  const vertical = isPlane ? extents[1] : curveRange();
  const [low, high] = vertical;
  for (const y of ticks(vertical)) {
    made.push(svgElement("text", { class: "tick up", x: room.left - 5, y: toDown((high - y) / (high - low)) + 4.5 }, number(y)));
  }
  const names = isPlane ? plane.map((axis) => cells[axis].name) : [cells[0].name, "y"];
  const short = names.map((name) => (name.length > 14 ? `${name.slice(0, 13)}…` : name));
  made.push(svgElement("text", { class: "axis", x: room.left + room.across - 4, y: bottom - 6 }, short[0]));
  made.push(svgElement("text", { class: "axis up", x: room.left + 6, y: room.top + 16 }, short[1]));
  return made;
}

function placeOf(i) {
  if (isPlane) {
    const [right, down] = placeInPlane(examples[i]);
    return [toRight(right), toDown(down)];
  }
  const [low, high] = curveRange();
  return [toRight(placeInPlane(examples[i])[0]), toDown((high - [task.targets[i]].flat()[0]) / (high - low))];
}

const describedTarget = (i) => (task.classes.length ? `class ${task.names[task.classes[i]]}` : `target ${[task.targets[i]].flat().map(number).join(", ")}`);

// The examples: class by marker and colour; a ring around those that are answered wrongly.
function pointElements() {
  const { outputs } = answers(state.at);
  const r = examples.length > 300 ? 3.2 : 5;
  return [...examples.keys()].map((i) => {
    const [x, y] = placeOf(i);
    const wrong = task.classes.length > 0 && verdict(outputs[i]) !== task.classes[i];
    const isChosen = i === state.example;
    const fill = task.classes.length ? {} : { fill: `rgb(${diverging(numberShade(i)).map(Math.round).join()})` };
    const label = `example ${i}, ${describedTarget(i)}${wrong ? ", answered wrongly" : ""}`;
    return svgElement(
      "g",
      {
        class: `point ${isChosen ? "chosen" : ""} ${wrong ? "wrong" : ""}`, id: `point-${i}`, role: "button",
        "aria-pressed": String(isChosen), "aria-label": label, transform: `translate(${x.toFixed(1)},${y.toFixed(1)})`,
        tabindex: i === (state.example ?? 0) ? 0 : -1, onkeydown: (event) => onPointKey(event, i),
      },
      wrong ? svgElement("circle", { class: "miss", r: r + 4 }) : null,
      isChosen ? svgElement("circle", { class: "ring", r: r + 6 }) : null,
      svgElement("path", { class: `marker ${task.classes.length ? `class${task.classes[i] % CLASS_COUNT}` : ""}`, d: task.classes.length ? marker(task.classes[i], r) : circle(r), ...fill }),
    );
  });
}

function numberShade(i) {
  const [low, high] = targetRange;
  return (2 * [task.targets[i]].flat()[0] - low - high) / (high - low || 1);
}

function onPointKey(event, i) {
  const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (move) chooseExample((i + move + examples.length) % examples.length, { focus: true });
  else if (event.key === "Enter" || event.key === " ") chooseExample(state.example === i ? null : i, { focus: true });
  else return;
  event.preventDefault();
  event.stopPropagation();
}

// A click or touch anywhere in the plane selects the nearest example; once more, lets it go.
function onPlaneClick(event) {
  const box = $("points").getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const distances = [...examples.keys()].map((i) => Math.hypot(placeOf(i)[0] - x, placeOf(i)[1] - y));
  const nearest = distances.indexOf(Math.min(...distances));
  if (distances[nearest] > 40) chooseExample(null);
  else chooseExample(nearest === state.example ? null : nearest);
}

function drawPlaneLegend() {
  const parts = task.names.map((name, c) => element(
    "span", {},
    svgElement("svg", { class: "icon-marker", viewBox: "-7 -7 14 14", "aria-hidden": "true" }, svgElement("path", { class: `marker class${c % CLASS_COUNT}`, d: marker(c, 5) })),
    ` ${name}`,
  ));
  if (task.classes.length) parts.push(element("span", {}, svgElement("svg", { class: "icon-marker", viewBox: "-9 -9 18 18", "aria-hidden": "true" }, svgElement("circle", { class: "miss", r: 7 })), " wrong"));
  if (!isPlane) parts.push(element("span", {}, "points: targets, line: output"));
  else if (task.kind === "number") parts.push(element("span", {}, `colour: ${model.outputs.length > 1 ? "first " : ""}output, ${number(targetRange[0])} … ${number(targetRange[1])}`));
  const others = width - plane.length;
  if (others) parts.push(element("span", {}, `${counted(others, "other input")} at the mean`));
  $("plane-legend").replaceChildren(...parts);
}

const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
