// The event listeners and the start of the page, and its interface for tests.

function listen() {
  listenToTimeline(() => stops().length - 1, KEYS);
  document.addEventListener("keydown", onDigit);
  onClicks({
    predict: () => setPredicting(!state.predicting),
    "zoom-in": () => zoomBy(1.25), "zoom-out": () => zoomBy(0.8), "zoom-fit": zoomFit,
    reset: resetInputs, up: goUp,
    more: () => toggleTools(), drawer: toggleDrawer,
    check: checkDifference, descend: () => descend(1), "descend-ten": () => descend(10),
    export: saveSvg, link: () => offer(linkHere()), embed: () => offer(embedding()),
    "print-steps": () => printSheet("steps"), worksheet: () => printSheet("worksheet"), moodle: saveMoodle,
    present: () => setPresenting(true), leave: () => setPresenting(false),
  });
  $("copies").addEventListener("change", () => setCopies($("copies").checked));
  document.addEventListener("fullscreenchange", () => document.fullscreenElement || setPresenting(false));
  onChoice("views", setView);
  onChoice("notations", setNotation);
  $("theme").addEventListener("change", () => { document.documentElement.dataset.theme = $("theme").value; });
  $("lecture").addEventListener("change", () => document.documentElement.classList.toggle("lecture", $("lecture").checked));
  onResize(viewport, refit);
  for (const act of ["wheel", "pointerdown"]) $("stage").addEventListener(act, endScrolling, { passive: true }); // manual scrolling has priority
  window.addEventListener("beforeprint", () => { if (!document.body.classList.contains("printing-sheet")) fillSheet("steps"); });
  window.addEventListener("afterprint", () => { document.body.classList.remove("printing-sheet"); $("sheet").replaceChildren(); });
}

// Listen to the shapes of the open drawing: a node n3 and its copy gate n3-fan, a bundle b1, a subgraph f2.
function listenToShapes() {
  const at = (event) => event.target.closest?.(".node")?.id.match(/^(n|b|f|exit)-?(?:n|b)?(\d+)/);
  const act = (found) => {
    const actions = { n: openNode, b: openBundle, f: visit, exit: goUp };
    actions[found[1]](Number(found[2]));
  };
  const look = (event) => {
    const found = at(event);
    if (found?.[1] !== "n") return;
    state.looked = Number(found[2]);
    showExact();
  };
  viewport.addEventListener("click", (event) => at(event) && act(at(event)));
  viewport.addEventListener("focusin", look);
  viewport.addEventListener("pointerover", look);
  viewport.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !at(event)) return;
    event.preventDefault();
    event.stopPropagation();
    act(at(event));
  });
}

function toggleDrawer() {
  const isOpen = $("inputs").classList.toggle("open");
  $("drawer").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) $("inputs").scrollIntoView({ block: "start" }); // the graph remains visible above
}

if (!stopsOf.layer) $("layer-view").remove();
// Remove the notation δ if no sum enters a unit except at the root.
if (recorded.sums.every((i) => i === root || nodes[root].parents.includes(i))) $("delta-notation").remove();
$("copies-label").hidden = !drawings[0].copies;
lowerIndices();
for (const place of document.querySelectorAll("h1, .expression")) typeset(place);
openDrawing(0);
buildInputs();
listen();
listenToShapes();
setView(drawings.length > 1 && layers.length > 1 ? "layer" : "wire"); // in the wire view each neuron would be a drawing
enableDragging();
readFragment();
announce(""); // opening a page or a link is not announced

// The texts of all steps, which a test compares with those of Python.
function texts(notation) {
  return steps.map((step) => {
    const { sweep } = state;
    const both = (part) => [TEXT, MATHML].map((script) => formula(sweep, step, part, script, notation));
    return {
      whole: both("whole"),
      symbols: both("symbols"),
      numbers: both("numbers"),
      local: step.phase === "backward" ? [TEXT, MATHML].map((script) => localText(sweep, step, script)) : ["", ""],
      sentence: sentence(step, notation),
      notes: notes(sweep, step, notation),
    };
  });
}

window.scalargrad = {
  goTo: (step) => goToStep(step - 1),
  setInputs: (values) => setInputs(Object.entries(values).map(([name, value]) => [nodes.findIndex((node) => node.name === name), value])),
  numbers: () => ({ data: state.sweep.data, gradients: nodes.map((_, i) => state.sweep.total(i)) }),
  texts,
  drawings: drawings.length,
  open: visit,
};
