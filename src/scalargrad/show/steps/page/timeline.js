// Move through the steps: buttons, scrubber, keys, Play, and links to a step.

function drawTimeline() {
  const count = stops().length;
  setTimeline(state.at, count - 1, `step ${state.at + 1} of ${count}, ${placeOf(currentSteps())}`, `${state.at + 1}/${count}`);
  const seed = stops().findIndex((stop) => stop.includes(seedAt));
  const first = steps[stops()[0][0]].phase;
  const share = seed >= 0 ? seed / Math.max(1, count - 1) : first === "backward" ? 0 : 1;
  $("timeline").style.setProperty("--seed", String(share));
  $("seed-mark").hidden = seed < 0;
}

function drawAll() {
  const { clientHeight: before } = viewport;
  drawPath();
  drawBranch();
  drawGraph();
  drawPanel();
  drawTimeline();
  drawInputs();
  updatePlayButton();
  showExact();
  if (viewport.clientHeight !== before) resize(); // a banner or matrices changed the size of the viewport
}

// Go to a stop of the view. A manual move is announced and ends Play.
function goTo(at, { manual = true } = {}) {
  const target = Math.min(Math.max(at, 0), stops().length - 1);
  if (manual) pause();
  const moved = target !== state.at;
  state.at = target;
  if (moved) updateQuestion();
  if (openDrawing(drawingFor(currentSteps()))) drawingOpened();
  drawAll();
  if (moved) scrollToPanel();
  if (moved) travel();
  centre();
  if (manual) announceStep();
}

// On a phone, scroll the heading out of view to make room for the formula, unless the inputs are open.
function scrollToPanel() {
  if (isPhone() && !$("inputs").classList.contains("open")) window.scrollTo({ top: document.querySelector("header").offsetHeight });
}

// Go to the stop that shows a step of the walk.
function goToStep(index, options) {
  goTo(Math.min(ranks[state.view][Math.max(index, 0)] ?? Infinity, stops().length - 1), options);
}

// Go to the start of the next gate or layer, or to the start of the current or previous one.
function goToGate(direction) {
  const [here] = currentSteps();
  const starts = stopsOf[state.view === "layer" ? "layer" : "gate"].map(([k]) => k);
  const start = direction > 0 ? starts.find((k) => k > here) : starts.findLast((k) => k < here);
  goToStep(start ?? (direction > 0 ? steps.length - 1 : 0));
}

function setView(view) {
  const index = currentSteps()[0];
  if (view !== "wire" && state.predicting) setPredicting(false); // which needs the wire view
  state.view = view;
  document.body.dataset.view = view;
  choose("views", view);
  state.at = Math.min(ranks[view][index], stops().length - 1);
  updateQuestion();
  goTo(state.at);
  resize();
}

// Update the page after another drawing was opened; a long list of inputs depends on it.
function drawingOpened() {
  if (inputs.length > MAX_FIELDS) listInputs();
  drawAll();
  resize();
}

function setCopies(copies) {
  state.copies = copies;
  $("copies").checked = copies;
  openDrawing(open.index);
  drawingOpened();
}

function setNotation(notation) {
  state.notation = notation;
  choose("notations", notation);
  drawAll();
  announceStep();
}

// Switch Predict mode, which needs the wire view.
function setPredicting(predicting) {
  state.predicting = predicting;
  $("predict").setAttribute("aria-pressed", String(predicting));
  pause();
  if (predicting && state.view !== "wire") setView("wire");
  updateQuestion();
  drawAll();
  $("answer")?.form.scrollIntoView({ block: "nearest" }); // on a phone the bar would cover it
  announce(predicting ? "Predict mode: each backward step asks for the local derivative and the product." : "Predict mode is off.");
}

const atEnd = () => state.at === stops().length - 1;

function play() {
  if (atEnd()) goTo(0, { manual: false });
  playEvery(Number($("speed").value), () => {
    if (state.question?.isOpen || atEnd()) return false;
    goTo(state.at + 1, { manual: false });
    return !atEnd();
  });
}

const KEYS = {
  "Shift+ArrowRight": () => goToGate(1),
  "Shift+ArrowLeft": () => goToGate(-1),
  p: () => setPredicting(!state.predicting),
  n: () => setNotation(nextChoice("notations", state.notation)),
  u: goUp,
  Escape: () => setPresenting(false),
};

// Typing a number moves the focus to the answer of an open question.
function onDigit({ key, target, ctrlKey }) {
  if (state.question?.isOpen && !ctrlKey && /^[-−+.\d]$/.test(key) && !target.closest("input, select, dialog")) $("answer").focus();
}

// The state as a URL fragment: #step=5&view=gate&notation=bar&x0=-2.
function linkFragment() {
  const parts = [`step=${currentSteps()[0] + 1}`, `view=${state.view}`, `notation=${state.notation}`];
  for (const i of inputs) if (state.sweep.data[i] !== recordedSweep.data[i]) parts.push(`n${i}=${state.sweep.data[i]}`);
  return `#${parts.join("&")}`;
}

// The number of an input in a link, or else the recorded one.
function inputFromLink(text, i) {
  return text?.trim() && Number.isFinite(Number(text)) ? Number(text) : recordedSweep.data[i];
}

function readFragment() {
  const given = fragment();
  if (!given.size) return;
  if (given.get("view") in stopsOf) setView(given.get("view"));
  if (choices("notations").includes(given.get("notation"))) setNotation(given.get("notation"));
  if (canCompute && inputs.length) setInputs(inputs.map((i) => [i, inputFromLink(given.get(`n${i}`), i)]));
  const step = Number(given.get("step"));
  if (step >= 1) goToStep(Math.floor(step) - 1);
}
