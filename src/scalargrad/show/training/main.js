// Putting the page together, and what tests and slides may call.

function buildExamples() {
  $("example").append(element("option", { value: "" }, `all ${examples.length} examples`));
  for (const i of examples.keys()) $("example").append(element("option", { value: i }, `${nameOfExample(i)}, ${describedTarget(i)}`));
}

function listen() {
  const click = (id, action) => $(id).addEventListener("click", action);
  click("first", () => goTo(0));
  click("previous", () => goTo(state.at - 1));
  click("next", () => goTo(state.at + 1));
  click("last", () => goTo(training.count - 1));
  click("play", togglePlay);
  click("help", showHelp);
  click("example-previous", () => moveExample(-1));
  click("example-next", () => moveExample(1));
  click("points", onPlaneClick);
  $("example").addEventListener("change", () => chooseExample($("example").value === "" ? null : Number($("example").value)));
  $("scrubber").addEventListener("input", () => goTo(Number($("scrubber").value)));
  onChoice("views", setView);
  $("speed").addEventListener("change", () => { if (playing) { pause(); play(); } });
  $("theme").addEventListener("change", () => setTheme($("theme").value));
  for (const type of ["pointerdown", "pointermove"]) $("losses").addEventListener(type, onCurvePointer);
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", readFragment);
  onResize(document.documentElement, () => keepFocus(drawAll));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  window.addEventListener("beforeprint", () => { isPrinted = true; rest(); setTheme("light"); });
  window.addEventListener("afterprint", () => { isPrinted = false; setTheme($("theme").value); });
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
  // Every snapshot of a training with other settings: {hidden, rate, seed, epochs}.
  trained: (chosen) => {
    const fresh = new Retraining(chosen);
    advanceFor(fresh, chosen.epochs, Infinity);
    const { losses, parameters, stopped } = fresh.training;
    return { losses, parameters: parameters.map((each) => [...each]), stopped };
  },
};
