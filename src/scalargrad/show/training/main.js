// The settings of training in the page, the event listeners and the start of the page.

const FRAME_BUDGET = 8; // time of each frame for training, in milliseconds
const recordedSummary = $("summary").textContent;
let requestedFrame = 0; // the requested frame of training; 0 if none

// The settings in the controls; null if one of them is invalid.
function settings() {
  if (!$("settings").checkValidity()) return null;
  const read = (id) => ($(id).value === "" ? null : Number($(id).value));
  const hidden = hiddenSizes.map((size, l) => (recorded.retraining.resizes ? read(`hidden-${l}`) : size));
  return { hidden, rate: read("rate"), epochs: read("epochs"), seed: read("seed") };
}

// Show another training run at a snapshot.
function show(chosen, at) {
  training = chosen;
  Object.assign(state, { selectedUnit: null, focusedUnit: Math.min(state.focusedUnit, training.units.length - 1), at });
  keepFocus(drawAll);
}

function updateSettingsNote() {
  const isOurs = training !== recordedTraining;
  if ($("recording").hidden === isOurs) $("recording").hidden = !isOurs;
  const kind = `${recorded.retraining.optimizer} on all ${examples.length} examples at once, no penalty, a constant learning rate`;
  const sizes = training.layers.map((layer) => layer.length).join("-");
  const size = `${sizes} units, ${training.parameterCount} parameters`;
  const how = `Trained in this page: ${size}; ${kind}${training.stopped ? `; ${training.stopped}` : "."}`;
  putText($("summary"), isOurs ? `now ${size}, trained in this page` : recordedSummary);
  const asRecorded = recorded.retraining.isKnown // false without an optimizer
    ? "As recorded in Python. Change a number to train again in this page."
    : "The recording was trained by your own loop; these settings train again in this page.";
  putText($("settings-note"), isOurs ? how : asRecorded);
}

function stopRetraining() {
  cancelAnimationFrame(requestedFrame);
  requestedFrame = 0;
  rest();
}

// Train again, some epochs in each frame; if the newest snapshot is shown, follow the training.
function retrain() {
  stopRetraining();
  pause();
  const chosen = settings();
  if (chosen === null) {
    $("settings-note").textContent = "Training needs valid settings: correct the marked number.";
    return;
  }
  const fresh = new Retraining(chosen);
  show(fresh.training, 0);
  const continueTraining = () => {
    const follows = state.at === fresh.training.count - 1;
    const isDone = advanceDuring(fresh, chosen.epochs, FRAME_BUDGET);
    if (follows) state.at = fresh.training.count - 1;
    requestedFrame = isDone ? 0 : requestAnimationFrame(continueTraining);
    state.isMoving = !isDone;
    keepFocus(draw);
    if (isDone) announce([sentence(), fresh.training.stopped].filter(Boolean).join(" "));
  };
  requestedFrame = requestAnimationFrame(continueTraining);
}

// Train for some milliseconds, and return whether training is complete.
function advanceDuring(fresh, epochs, milliseconds) {
  const until = performance.now() + milliseconds;
  do {
    if (fresh.training.count > epochs || !fresh.advance()) return true;
  } while (performance.now() < until);
  return fresh.training.count > epochs;
}

function showRecording() {
  stopRetraining();
  $("settings").reset();
  show(recordedTraining, recordedTraining.count - 1);
  announce("The recorded training.");
}

// Create the controls, with the recorded settings.
function buildSettings() {
  const { retraining } = recorded;
  $("settings").hidden = !retraining;
  if (!retraining) return;
  $("hidden-sizes").hidden = $("seed-choice").hidden = !retraining.resizes;
  for (const [l, value] of (retraining.resizes ? hiddenSizes : []).entries()) {
    const most = retraining.names[l].length;
    $("hidden-sizes").append(element("input", {
      id: `hidden-${l}`, type: "number", min: 1, max: most, value, required: true, inputmode: "numeric", "aria-label": `Units of layer ${l + 1}`,
    }));
  }
  $("rate").defaultValue = String(retraining.rate);
  $("epochs").max = String(retraining.mostEpochs);
  $("epochs").defaultValue = String(Math.min(Math.max(recordedTraining.steps.at(-1), 1), retraining.mostEpochs));
  $("settings").addEventListener("change", retrain);
  $("settings").addEventListener("submit", (event) => { event.preventDefault(); retrain(); });
  $("recording").addEventListener("click", showRecording);
}

// The event listeners and the start of the page, and its interface for tests.

function buildExamples() {
  $("example").append(element("option", { value: "" }, `all ${examples.length} examples`));
  for (const i of examples.keys()) $("example").append(element("option", { value: i }, `${nameOfExample(i)}, ${targetText(i)}`));
}

function listen() {
  listenToTimeline(() => training.count - 1, KEYS);
  onClicks({ "example-previous": () => moveExample(-1), "example-next": () => moveExample(1), points: onPlaneClick });
  $("example").addEventListener("change", () => chooseExample($("example").value === "" ? null : Number($("example").value)));
  onChoice("views", setView);
  $("theme").addEventListener("change", () => setTheme($("theme").value));
  for (const type of ["pointerdown", "pointermove"]) $("losses").addEventListener(type, onCurvePointer);
  onResize(document.documentElement, () => keepFocus(drawAll));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  window.addEventListener("beforeprint", () => { rest(); setTheme("light"); [canvasOfTiles, canvasOfPlane].forEach(asPixels); });
  window.addEventListener("afterprint", () => setTheme($("theme").value));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  recolour();
}

function recolour() {
  readPalette();
  drawAll();
}

const planeTitle = task.classes.length ? (isPlane ? "Decision boundary" : "Decision") : "Output";
$("plane-title").textContent = others.length ? `${planeTitle} in a slice` : planeTitle;
buildExamples();
buildSettings();
listen();
readPalette();
readFragment();

window.scalargrad = {
  goTo: (step) => goTo(training.steps.findLastIndex((each) => each <= step)),
  frame: (k) => goTo(k, { manual: false }), // as Play does
  choose: chooseExample,
  numbers: () => ({
    answers: training.answers(state.at).outputs,
    losses: training.answers(state.at).losses,
    right: training.answers(state.at).right,
    gradients: [...training.gradients(state.at, state.example)],
    activations: state.example === null ? null : training.activations(state.at, state.example),
    parameters: [...training.parameters[state.at]],
  }),
  // All snapshots of a training run with other settings: {hidden, rate, seed, epochs}.
  trained: (chosen) => {
    const fresh = new Retraining(chosen);
    advanceDuring(fresh, chosen.epochs, Infinity);
    const { losses, parameters, stopped } = fresh.training;
    return { losses, parameters: parameters.map((each) => [...each]), stopped };
  },
};
