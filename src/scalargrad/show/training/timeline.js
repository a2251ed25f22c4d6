// Moving through the snapshots: buttons, scrubber, keys, Play, and a link to where one is.

function drawTimeline() {
  const { steps, unit } = training;
  const count = training.count - 1;
  setTimeline(state.at, count, `${unit} ${steps[state.at]} of ${steps.at(-1)}`, `${unit} ${steps[state.at]}/${steps.at(-1)}`);
  $("scrubber").style.setProperty("--seed", String(state.at / Math.max(1, count)));
}

// Make all pictures anew: for another size or theme, or of another training.
function drawAll() {
  drawLinesLegend(); // first, as do the other words, because they may take a line from the pictures
  drawPlaneLegend();
  drawCurveKey();
  if (recorded.retraining) noteSettings();
  layOutNetwork();
  layOutPlane();
  layOutCurve();
  draw();
}

// Show the snapshot in pictures that have their places.
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
  if (recorded.retraining) noteSettings();
}

const READING = 80; // milliseconds that words stay as they are while the training moves: nobody reads faster
let wordsDrawn = -Infinity;

function areWordsDue() {
  const now = performance.now();
  if (state.isMoving && now - wordsDrawn < READING) return false;
  wordsDrawn = now;
  return true;
}

// Go to a snapshot; a manual move is announced and ends Play.
function goTo(k, { manual = true } = {}) {
  if (manual) pause();
  state.isMoving = !manual;
  state.at = Math.min(Math.max(k, 0), training.count - 1);
  draw();
  if (manual) announce([sentence(), changeSentence(), exampleSentence()].filter(Boolean).join(" "));
  if (manual) noteShown();
}

// Select an example, or all of them; what is in focus stays so.
function chooseExample(i, { focus = false } = {}) {
  const isNew = i !== state.example;
  Object.assign(state, { example: i, unit: null });
  if (i === null && state.view === "products") showView("weights");
  document.body.classList.toggle("fresh", isNew && i !== null);
  if (others.length) drawAll(); // in another slice, under another legend
  else draw();
  if (focus && i !== null) $(`point-${i}`).focus();
  announce(i === null ? "All examples." : exampleSentence());
  noteShown();
}

// Elements of the pictures are made anew; the one in focus is found again.
function keepFocus(draw) {
  const id = document.activeElement?.closest("[id]")?.id;
  draw();
  if (id && document.activeElement?.id !== id) $(id)?.focus();
}

function showView(view) {
  state.view = view;
  choose("views", view);
}

// Choose what the lines show; products are those of an example.
function setView(view) {
  showView(view);
  if (view === "products" && state.example === null) chooseExample(0);
  else drawNetwork();
  announce(`Lines show ${view}.`);
  noteShown();
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
  Escape: () => (state.unit === null ? chooseExample(null) : chooseUnit(null)),
};

// The state as a URL fragment, such as #step=12&example=17&lines=gradients.
function linkFragment() {
  const example = state.example === null ? "" : `&example=${state.example}`;
  return `#step=${training.steps[state.at]}${example}&lines=${state.view}`;
}

// What is trained in this page has no address.
const noteShown = () => training === recordedTraining && updateAddress();

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
