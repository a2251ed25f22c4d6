// The curve of the loss, with a cursor at the current snapshot.

const FRAME = { left: 66, right: 16, top: 10, bottom: 22 };
const MIN_LOG_RANGE = 10; // minimum ratio of the largest to the smallest loss for a logarithmic scale
const MAX_TICKS = 5; // maximum number of ticks
let curveRoom = { left: 0, right: 1, top: 0, bottom: 1 };

// The losses that a logarithm can show.
const positive = () => training.losses.filter((loss) => loss > 0 && loss < Infinity);

function isLogarithmic() {
  const shown = positive();
  return shown.length > 0 && Math.max(...shown) >= MIN_LOG_RANGE * Math.min(...shown);
}

// A linear scale: the height of a loss, as a share from the bottom, and the ticks.
function linearScale() {
  const finite = training.losses.filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...finite), Math.max(...finite, -Infinity)];
  const known = high > low ? ticks([low, high], 3) : [high];
  return { marks: known.map((loss) => [loss, number(loss)]), height: (loss) => (high > low ? (loss - low) / (high - low) : 0.5) };
}

// A logarithmic scale, with a separate line at the bottom for losses of 0.
function logScale() {
  const shown = positive();
  const logs = [Math.min(...shown), Math.max(...shown)].map(Math.log10);
  const hasZero = training.losses.some((loss) => loss === 0);
  const [low, high] = [Math.floor(logs[0] + 1e-9) - Number(hasZero), Math.ceil(logs[1] - 1e-9) || 0];
  const span = Math.max(high - low, 1);
  const stride = Math.ceil(span / (MAX_TICKS - 1));
  const powers = [];
  for (let power = low + Number(hasZero); power <= low + span; power += stride) powers.push(power);
  const marks = powers.map((power) => [10 ** power, Math.abs(power) > 3 ? `10${superscript(String(power))}` : number(10 ** power)]);
  const height = (loss) => (loss > 0 ? (Math.log10(loss) - low) / span : 0);
  return { marks: hasZero ? [[0, "0"], ...marks] : marks, height };
}

function stepAcross(k) {
  const { steps } = training;
  return curveRoom.left + ((curveRoom.right - curveRoom.left) * (steps[k] - steps[0])) / (steps.at(-1) - steps[0] || 1);
}

function layOutCurve() {
  const { across, down } = roomOf($("losses"));
  $("losses").setAttribute("viewBox", `0 0 ${across} ${down}`);
  curveRoom = { left: FRAME.left, right: across - FRAME.right, top: FRAME.top, bottom: down - FRAME.bottom };
}

function drawCurve() {
  $("losses").replaceChildren(...(training.losses.some(Number.isFinite) ? curveParts() : []));
}

function drawCurveKey() {
  const rate = training.rates[state.at];
  putText($("curve-key"), [number(training.losses[state.at]), ...(rate === null ? [] : [`learning rate ${number(rate)}`]), ...(isLogarithmic() ? ["logarithmic scale"] : [])].join(" · "));
  const { losses, count } = training;
  const ends = `from ${number(losses[0])} to ${number(losses.at(-1))}`;
  put($("losses"), "aria-label", `The loss goes ${ends} over ${pluralize(count, "snapshot")}; here it is ${number(losses[state.at])}.`);
}

function curveParts() {
  const { left, right, top, bottom } = curveRoom;
  const { losses, steps, stepName, count } = training;
  const { marks, height } = isLogarithmic() ? logScale() : linearScale();
  const lossDown = (loss) => bottom - (bottom - top) * height(loss);
  const points = losses.flatMap((loss, k) => (Number.isFinite(loss) ? [`${stepAcross(k).toFixed(1)},${lossDown(loss).toFixed(1)}`] : []));
  const ends = [...new Set([0, count - 1])];
  const [x, here] = [stepAcross(state.at), losses[state.at]];
  return [
    svgElement("path", { class: "rules", d: `M${left},${top}V${bottom}H${right}${marks.map(([loss]) => `M${left},${lossDown(loss)}H${right}`).join("")}` }),
    ...marks.map(([loss, name]) => svgElement("text", { class: "tick up", x: left - 6, y: lossDown(loss) + 4.5 }, name)),
    ...ends.map((k) => svgElement("text", { class: `tick ${k ? "up" : "first"}`, x: stepAcross(k), y: bottom + 16 }, String(steps[k]))),
    svgElement("text", { class: "tick", x: (left + right) / 2, y: bottom + 16 }, stepName),
    svgElement("polyline", { class: "losses", points: points.join(" ") }),
    svgElement("path", { class: "cursor", d: `M${x},${top}V${bottom}` }),
    Number.isFinite(here) ? svgElement("circle", { class: "here", cx: x, cy: lossDown(here), r: 5 }) : "",
  ];
}

// Go to the snapshot nearest to the pointer.
function onCurvePointer(event) {
  if (event.type === "pointermove" && !(event.buttons & 1)) return;
  const box = $("losses").getBoundingClientRect();
  const away = training.steps.map((_, k) => Math.abs(stepAcross(k) - (event.clientX - box.left)));
  goTo(away.indexOf(Math.min(...away)));
}
