// Putting the page together, and what tests and slides may call.

const nodeLabels = nodes.map((node, i) => $(`n${i}-value`).querySelector(".name")?.textContent ?? "");

function listen() {
  const click = (id, action) => $(id).addEventListener("click", action);
  click("first", () => goTo(0));
  click("previous", () => goTo(state.at - 1));
  click("next", () => goTo(state.at + 1));
  click("last", () => goTo(stops().length - 1));
  click("play", togglePlay);
  click("predict", () => setPredicting(!state.predicting));
  click("help", () => $("help-text").showModal());
  click("zoom-in", () => zoomBy(1.25));
  click("zoom-out", () => zoomBy(0.8));
  click("zoom-fit", zoomFit);
  click("reset", resetInputs);
  click("more", () => toggleTools());
  click("drawer", toggleDrawer);
  click("check", checkDifference);
  click("descend", () => descend(1));
  click("descend-ten", () => descend(10));
  click("export", saveSvg);
  click("link", makeLink);
  click("print-steps", () => printSheet("steps"));
  click("worksheet", () => printSheet("worksheet"));
  click("present", () => setPresenting(true));
  click("leave", () => setPresenting(false));
  document.addEventListener("fullscreenchange", () => document.fullscreenElement || setPresenting(false));
  $("scrubber").addEventListener("input", () => goTo(Number($("scrubber").value)));
  $("views").addEventListener("change", (event) => setView(event.target.value));
  $("notations").addEventListener("change", (event) => setNotation(event.target.value));
  $("speed").addEventListener("change", () => { if (playing) { pause(); play(); } });
  $("theme").addEventListener("change", () => { document.documentElement.dataset.theme = $("theme").value; });
  $("lecture").addEventListener("change", () => document.documentElement.classList.toggle("lecture", $("lecture").checked));
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", readFragment);
  window.addEventListener("resize", resize);
  window.addEventListener("beforeprint", () => { if (!document.body.classList.contains("printing-sheet")) { $("sheet").replaceChildren(...stepList()); $("sheet").className = "steps"; } });
  window.addEventListener("afterprint", () => { document.body.classList.remove("printing-sheet"); $("sheet").replaceChildren(); });
}

function listenToNodes() {
  for (const i of nodes.keys()) {
    const shape = $(`n${i}`);
    shape.addEventListener("click", () => openNode(i));
    shape.addEventListener("focus", () => showExact(i));
    shape.addEventListener("pointerenter", () => showExact(i));
    shape.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      event.stopPropagation();
      openNode(i);
    });
  }
}

function toggleDrawer() {
  const open = $("inputs").classList.toggle("open");
  $("drawer").setAttribute("aria-expanded", String(open));
}

buildInputs();
buildTools();
listen();
listenToNodes();
drawAll();
resize();
enableDragging();
readFragment();

// What every step says, in the order of the walk: a test holds it against Python's words.
function texts(notation) {
  return recorded.positions.map((i) => {
    const step = steps[i];
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
  numbers: () => ({ data: state.sweep.data, gradients: nodes.map((_, i) => (i === root ? 1 : state.sweep.total(i))) }),
  texts,
};
