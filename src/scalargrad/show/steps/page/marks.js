// What marks the active parts of the open drawing: halos, outlines, rings, and the arrow back.

const MOST_FOLLOWED = 24; // of more wires than that, the lines alone are marked

// The amber halo and the dark outline of what a stop is about.
function highlight(active) {
  const marked = new Set();
  const back = active.filter((step) => step.phase === "backward");
  const isCrowded = new Set(back.map(lineOf)).size > MOST_FOLLOWED;
  const shapes = active.flatMap((step) => shapesOf(step));
  for (const shape of new Set(shapes.filter(Boolean))) haloShape(shape);
  for (const step of active) {
    if (step.node === null) continue;
    if (step.phase === "forward") markForward(step, marked);
    else if (step.phase === "seed") haloNumber(step.node, "gradient");
    else markBackward(step, marked, isCrowded);
  }
  if (back.length <= MOST_FOLLOWED) markSaved(back);
  markAlarm();
}

// A warning sign at the first node that is inf or nan, or at the bundle or fold in which it stands.
function markAlarm() {
  const { alarm } = state.sweep;
  if (!alarm || !isDone(alarm.at)) return;
  const fold = foldAround(open.index, alarm.node);
  const shape = open.find(open.unitOf.get(alarm.node) ?? `n${alarm.node}`) ?? open.folds.get(fold)?.shape;
  const box = shape?.querySelector("rect").getBBox();
  if (!box) return;
  overlay.append(
    svgElement("rect", { class: "alarm", x: box.x - 4, y: box.y - 4, width: box.width + 8, height: box.height + 8 }),
    svgElement("path", { class: "alarm-sign", d: `M${box.x - 12},${box.y + 7}l9,-17l9,17z` }),
    svgElement("text", { class: "alarm-text", x: box.x - 3, y: box.y + 5 }, "!"),
  );
}

// Ring the forward values that the local derivatives of these steps read.
function markSaved(back) {
  const here = back.filter((step) => homeOf(step.node) === open.index && !asksLocal(step)); // no ring tells
  const texts = here.flatMap((step) => readBy(step).map((i) => savedText(i, step.node)));
  for (const saved of new Set(texts.filter(Boolean))) ringSaved(saved, back.length <= MOST_CHIPS);
}

// The text of a forward value: that on the gate's own wire where the value is repeated or copied there.
function savedText(i, gate) {
  const operand = nodes[gate].parents.indexOf(i);
  const own = open.find(`n${gate}-w${operand}-value`);
  const bundle = open.bundles.get(Number(open.unitOf.get(i)?.slice(1)));
  if (own || open.nodes.has(i)) return own ?? open.nodes.get(i).value;
  return bundle?.one === i ? bundle.value : null;
}

// The shapes a step is about: inputs, gates, or the folds and bundles in which they stand.
function shapesOf(step) {
  if (step.node === null) return inputs.map((i) => open.find(open.unitOf.get(i) ?? `n${i}`));
  if (homeOf(step.node) !== open.index) return [open.folds.get(foldAround(open.index, step.node))?.shape];
  return step.phase === "backward" ? [] : [open.find(`n${step.node}`)];
}

function markForward(step, marked) {
  for (const { node: parent, operand } of linked(nodes[step.node])) {
    const line = lineOf({ node: step.node, operand, parent });
    if (line && !marked.has(line)) haloPath(line);
    marked.add(line);
  }
  haloNumber(step.node, "value");
}

function markBackward(step, marked, isCrowded) {
  const line = lineOf(step);
  if (!line || marked.has(line)) return;
  marked.add(line);
  const back = isCrowded ? line.getAttribute("d") : wayBack(step, line);
  const stops = isStopped(state.sweep, step) ? "back dead" : "back";
  for (const kind of ["halo", "outline", stops]) underlay.append(svgElement("path", { class: kind, d: back }));
}

// The nodes whose forward values the local derivative of a step reads as it is written.
function readBy(step) {
  return gateAt(state.sweep, step.node).nodesRead(step.operand);
}

function haloPath(line) {
  underlay.append(
    svgElement("path", { class: "halo", d: line.getAttribute("d") }),
    svgElement("path", { class: "outline", d: line.getAttribute("d") }),
  );
}

function haloShape(shape) {
  const box = shape.querySelector("rect");
  const around = (class_, gap) => svgElement("rect", {
    class: class_,
    x: box.x.baseVal.value - gap,
    y: box.y.baseVal.value - gap,
    width: box.width.baseVal.value + 2 * gap,
    height: box.height.baseVal.value + 2 * gap,
    rx: box.rx.baseVal.value + gap,
  });
  underlay.append(around("halo", 3));
  overlay.append(around(shape.classList.contains("input") ? "outline data" : "outline", 0));
}

function haloNumber(i, what) {
  const box = open.nodes.get(i)?.[what].getBBox();
  if (!box?.width) return;
  underlay.append(svgElement("rect", {
    class: "halo number", x: box.x - 4, y: box.y - 1, width: box.width + 8, height: box.height + 2, rx: 5,
  }));
}

// The ring around a forward value that the local derivative reads.
function ringSaved(value, isLabelled) {
  const box = boxOfNumber(value.querySelector(".value"));
  if (!box.width) return;
  const rise = value.querySelector(".name.above") ? 21 : 5; // clear of a name above the number
  overlay.append(
    svgElement("rect", {
      class: "ring", x: box.x - 3, y: box.y - 1, width: box.width + 6, height: box.height + 2, rx: 6,
    }),
  );
  if (isLabelled) overlay.append(
    svgElement("text", { class: "ring-label", x: box.x + box.width / 2, y: box.y - rise }, "saved"),
  );
}

// The box of a number within a text that may hold a name besides.
function boxOfNumber(part) {
  const width = part.getComputedTextLength();
  if (!width) return { width };
  const { x, y } = part.getStartPositionOfChar(0);
  return { x, y: y - 13, width, height: 17 };
}

// The way back from a gate to its operand, or to the junction or copy gate where terms are added.
function wayBack(step, line) {
  const unit = open.unitOf.get(step.parent) ?? `n${step.parent}`;
  const copied = open.find(`${line.id}-out`) ? line.id : null;
  const beyond = copied ?? (open.find(`${unit}-stem`) ? null : unit);
  const ids = beyond ? [`${beyond}-wire-line`, `${beyond}-out`] : [];
  if (unit.startsWith("b") && beyond === unit) ids.push(...["into", "wire-line", "out"].map((part) => `n${step.parent}-${part}`));
  const stretches = [line, ...ids.map(open.find)];
  const points = stretches.filter(Boolean).flatMap((stretch) => {
    const length = stretch.getTotalLength();
    const count = Math.max(2, Math.round(length / 4));
    return Array.from({ length: count + 1 }, (_, i) => stretch.getPointAtLength(length * (1 - i / count)));
  });
  return `M${points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}`;
}
