// Move through the snapshots: buttons, scrubber, keys, Play, and links to a snapshot.

function drawTimeline() {
  const { steps, stepName } = training;
  const count = training.count - 1;
  setTimeline(state.at, count, `${stepName} ${steps[state.at]} of ${steps.at(-1)}`, `${stepName} ${steps[state.at]}/${steps.at(-1)}`);
  $("scrubber").style.setProperty("--seed", String(state.at / Math.max(1, count)));
}

// Create all pictures, for another size, theme or training run.
function drawAll() {
  drawLinesLegend(); // texts first, because they may change the heights of pictures
  drawPlaneLegend();
  drawCurveKey();
  if (recorded.retraining) updateSettingsNote();
  layOutNetwork();
  layOutPlane();
  layOutCurve();
  draw();
}

// Update the pictures to the current snapshot.
function draw() {
  drawNetwork();
  drawPlane();
  drawCurve();
  drawTimeline();
  if (areWordsDue()) drawWords();
}

function drawWords() {
  drawCurveKey();
  drawStory();
  $("example").value = state.example ?? "";
  updatePlayButton();
  if (recorded.retraining) updateSettingsNote();
}

const MIN_READING_TIME = 80; // minimum time between updates of texts while snapshots change, in milliseconds
let wordsDrawn = -Infinity;

function areWordsDue() {
  const now = performance.now();
  if (state.isMoving && now - wordsDrawn < MIN_READING_TIME) return false;
  wordsDrawn = now;
  return true;
}

// Go to a snapshot. A manual move is announced and ends Play.
function goTo(k, { manual = true } = {}) {
  if (manual) pause();
  state.isMoving = !manual;
  state.at = Math.min(Math.max(k, 0), training.count - 1);
  draw();
  if (manual) announce([sentence(), changeSentence(), exampleSentence()].filter(Boolean).join(" "));
  if (manual) updateOwnAddress();
}

// Select an example, or all by null.
function chooseExample(i, { focus = false } = {}) {
  const isNew = i !== state.example;
  Object.assign(state, { example: i, selectedUnit: null });
  if (i === null && state.view === "products") showView("weights");
  document.body.classList.toggle("fresh", isNew && i !== null);
  if (others.length) drawAll(); // another slice has another legend
  else draw();
  if (focus && i !== null) $(`point-${i}`).focus();
  announce(i === null ? "All examples." : exampleSentence());
  updateOwnAddress();
}

// Draw, and restore the focus if its element was replaced.
function keepFocus(draw) {
  const id = document.activeElement?.closest("[id]")?.id;
  draw();
  if (id && document.activeElement?.id !== id) $(id)?.focus();
}

function showView(view) {
  state.view = view;
  choose("views", view);
}

// Select the numbers that lines show; products need an example.
function setView(view) {
  showView(view);
  if (view === "products" && state.example === null) chooseExample(0);
  else drawNetwork();
  announce(`Lines show ${view}.`);
  updateOwnAddress();
}

function moveExample(direction) {
  const count = examples.length;
  if (state.example === null) chooseExample(direction > 0 ? 0 : count - 1);
  else chooseExample((state.example + direction + count) % count);
}

function play() {
  if (state.at === training.count - 1) goTo(0, { manual: false });
  document.body.classList.remove("fresh");
  playEvery(Number($("speed").value), () => {
    goTo(state.at + 1, { manual: false });
    return state.at < training.count - 1;
  }, rest);
}

const KEYS = {
  "Shift+ArrowRight": () => goTo(state.at + 10),
  "Shift+ArrowLeft": () => goTo(state.at - 10),
  e: () => moveExample(1),
  "Shift+e": () => moveExample(-1),
  l: () => setView(nextChoice("views", state.view)),
  Escape: () => (state.selectedUnit === null ? chooseExample(null) : chooseUnit(null)),
};

// The state as a URL fragment, such as #step=12&example=17&lines=gradients.
function linkFragment() {
  const example = state.example === null ? "" : `&example=${state.example}`;
  return `#step=${training.steps[state.at]}${example}&lines=${state.view}`;
}

// Update the address, unless the training run was computed in this page.
const updateOwnAddress = () => training === recordedTraining && updateAddress();

function readFragment() {
  const given = fragment();
  const example = Number(given.get("example") ?? NaN);
  if (Number.isInteger(example) && examples[example]) state.example = example;
  const view = given.get("lines");
  if (choices("views").includes(view) && (view !== "products" || state.example !== null)) showView(view);
  const step = Number(given.get("step") ?? NaN);
  const k = recordedTraining.steps.findLastIndex((each) => each <= step);
  state.at = Math.max(k, 0);
  show(recordedTraining, state.at);
  announce("");
}
