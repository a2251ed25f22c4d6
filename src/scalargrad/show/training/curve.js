// The loss at every snapshot, and a cursor at this one.

const FRAME = { left: 66, right: 16, top: 10, bottom: 22 };
const finiteLosses = losses.filter(Number.isFinite);
const lossRange = [Math.min(...finiteLosses, Infinity), Math.max(...finiteLosses, -Infinity)];
const isLogarithmic = lossRange[0] > 0 && lossRange[1] / lossRange[0] > 30;
let curveRoom = { left: 0, right: 1, top: 0, bottom: 1 };

// How high a loss stands, in shares from the bottom.
function lossHeight(loss) {
  const [low, high] = isLogarithmic ? lossRange.map(Math.log) : [Math.min(0, lossRange[0]), lossRange[1]];
  return high > low ? ((isLogarithmic ? Math.log(loss) : loss) - low) / (high - low) : 0.5;
}

const stepAcross = (k) => curveRoom.left + ((curveRoom.right - curveRoom.left) * (steps[k] - steps[0])) / (steps.at(-1) - steps[0] || 1);
const lossDown = (loss) => curveRoom.bottom - (curveRoom.bottom - curveRoom.top) * lossHeight(loss);

function drawCurve() {
  drawCurveKey();
  const svg = $("losses");
  const { across, down } = roomOf(svg);
  svg.setAttribute("viewBox", `0 0 ${across} ${down}`);
  curveRoom = { left: FRAME.left, right: across - FRAME.right, top: FRAME.top, bottom: down - FRAME.bottom };
  const { left, right, top, bottom } = curveRoom;
  svg.replaceChildren(...(finiteLosses.length ? curveParts(left, right, top, bottom) : []));
  const ends = `from ${number(losses[0])} to ${number(losses.at(-1))}`;
  svg.setAttribute("aria-label", `The loss goes ${ends} over ${counted(snapshotCount, "snapshot")}; here it is ${number(losses[state.at])}.`);
}

function drawCurveKey() {
  const rate = rates[state.at] === null ? "" : ` · learning rate ${number(float(rates[state.at]))}`;
  $("curve-key").textContent = `${number(losses[state.at])}${rate}${isLogarithmic ? " · logarithmic scale" : ""}`;
}

function curveParts(left, right, top, bottom) {
  const marks = isLogarithmic ? lossRange : [Math.min(0, lossRange[0]), lossRange[1]];
  const known = losses.map((loss, k) => [loss, k]).filter(([loss]) => Number.isFinite(loss));
  const points = known.map(([loss, k]) => `${stepAcross(k).toFixed(1)},${lossDown(loss).toFixed(1)}`);
  const x = stepAcross(state.at);
  const isKnown = Number.isFinite(losses[state.at]);
  const ends = [...new Set([0, snapshotCount - 1])];
  return [
    svgElement("path", { class: "rules", d: `M${left},${top}V${bottom}H${right}` }),
    ...marks.map((loss) => svgElement("text", { class: "tick up", x: left - 6, y: lossDown(loss) + 4.5 }, number(loss))),
    ...ends.map((k) => svgElement("text", { class: `tick ${k ? "up" : "first"}`, x: stepAcross(k), y: bottom + 16 }, String(steps[k]))),
    svgElement("text", { class: "tick", x: (left + right) / 2, y: bottom + 16 }, unit),
    svgElement("polyline", { class: "losses", points: points.join(" ") }),
    svgElement("path", { class: "cursor", d: `M${x},${top}V${bottom}` }),
    isKnown ? svgElement("circle", { class: "here", cx: x, cy: lossDown(losses[state.at]), r: 5 }) : null,
  ].filter(Boolean);
}

// The snapshot nearest to where someone points.
function onCurvePointer(event) {
  if (event.type === "pointermove" && !(event.buttons & 1)) return;
  const box = $("losses").getBoundingClientRect();
  const away = steps.map((_, k) => Math.abs(stepAcross(k) - (event.clientX - box.left)));
  goTo(away.indexOf(Math.min(...away)));
}
