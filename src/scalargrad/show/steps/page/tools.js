// What stands under More: finite differences, gradient descent, export, palettes.

const checkDifference = () => { $("check-result").textContent = differenceAt(Number($("check-input").value)); };

// Compare the slope of a central difference with the gradient of an input.
function differenceAt(i) {
  const x = state.sweep.data[i];
  const gradient = state.sweep.total(i);
  const tried = [1e-5 * Math.max(1, Math.abs(x)), 1e-5 * Math.abs(x)].filter((h) => h > 0).map((h) => {
    const beside = [x + h, x - h].map((value) => state.sweep.with([[i, value]]));
    const [up, down] = beside.map(({ invalid, data }) => (invalid ? NaN : data[root]));
    const slope = (up - down) / (2 * h);
    const rounding = (4 * Number.EPSILON * Math.max(Math.abs(up), Math.abs(down))) / h;
    const agree = Math.abs(slope - gradient) <= 1e-6 * Math.max(Math.abs(slope), Math.abs(gradient)) + rounding;
    return { h, beside, slope, agree };
  });
  const kink = state.sweep.kinks[i];
  const { h, beside, slope, agree } = tried.find((found) => found.agree) ?? tried.at(-1);
  const [name, place] = [nodes[root].name, `${nodes[i].name} ${equalTo(x)}`];
  if (beside.some(({ flips }) => flips.length)) return `Beside ${place} the program takes another branch: there is no difference to take.`;
  if (!Number.isFinite(slope)) return `${name} is undefined or infinite beside ${place}: there is no difference to take.`;
  if (kink !== undefined) return slopesAtKink(i, h, beside.map(({ data }) => data[root]), gateAt(state.sweep, kink).gate.shown);
  const verdict = agree ? "they agree." : "they differ: is this a kink or a jump, or is the function very steep here?";
  return `(${name}(${nodes[i].name} + h) - ${name}(${nodes[i].name} - h)) / 2h ≈ ${number(slope)} with h = ${number(h)}; gradient ${equalTo(gradient)}: ${verdict}`;
}

const ONE_SIDED = 1e-4; // what a difference to one side may be off by

// At a kink a central difference is the mean of two slopes, which says nothing of the gradient: each side has its own.
function slopesAtKink(i, h, [up, down], gate) {
  const [f, gradient] = [state.sweep.data[root], state.sweep.total(i)];
  const [left, right] = [(f - down) / h, (up - f) / h];
  const agree = [left, right].every((slope) => Math.abs(slope - gradient) <= ONE_SIDED * Math.max(1, Math.abs(slope), Math.abs(gradient)));
  const place = `Beside ${nodes[i].name} ${equalTo(state.sweep.data[i])}, with h = ${number(h)}`;
  const found = `${place}: slope to the left ≈ ${number(left)}, to the right ≈ ${number(right)}; gradient ${equalTo(gradient)}: `;
  return found + (agree ? `both agree with it, though ${gate} has a kink or jump here.` : `${gate} has a kink or jump here, and the gradient is a convention.`);
}

const descend = (count) => { $("descent-result").textContent = descended(count); };

// Move the chosen inputs against their gradients, as often as asked, while the output is defined.
function descended(count) {
  const rate = Number($("rate").value);
  const chosen = [...document.querySelectorAll("#descent-inputs input:checked")].map((box) => Number(box.value));
  if (!chosen.length) return "Choose at least one input.";
  if (!(rate > 0)) return "Write a learning rate above 0.";
  const before = state.sweep.data[root];
  let [done, why] = [0, ""];
  while (done < count && !why) {
    why = whyNot(chosen.map((i) => [i, state.sweep.data[i] - rate * state.sweep.total(i)]));
    if (why) break;
    done += 1;
    const reached = state.sweep.data[root];
    if (!Number.isFinite(reached)) why = `${nodes[root].name} is ${number(reached)}`;
  }
  const said = `${counted(done, "step")}${done ? `: ${compared(before, state.sweep.data[root])}` : ""}.`;
  return why ? `${said} Stopped: ${why}.` : said;
}

// Take a step to other inputs, or say why it cannot be taken; then nothing has changed.
function whyNot(moved) {
  const bad = moved.find(([, value]) => !Number.isFinite(value));
  if (bad) {
    const gradient = state.sweep.total(bad[0]);
    return `the next step would take ${nodes[bad[0]].name} to ${number(bad[1])}, for its gradient is ${number(gradient)}`;
  }
  if (state.sweep.with(moved).flips.length) return "the next step would lead to where the program takes another branch";
  if (setInputs(moved)) return "";
  const { undefined: note } = state;
  accept(); // the inputs are those before the step
  return note.replace(/\. The last valid state is kept\.$/, "");
}

function compared(before, after) {
  const both = `${nodes[root].name} from ${number(before)} to ${number(after)}`;
  if (!Number.isFinite(before) || !Number.isFinite(after)) return both;
  return `${both}, ${after < before ? "it fell" : after > before ? "it rose: try a smaller rate" : "it stayed"}`;
}

const STYLED = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "stroke-linecap",
  "stroke-linejoin", "opacity", "font-family", "font-size", "font-style", "font-weight", "text-anchor", "paint-order",
  "display", "visibility", "marker-end",
];

// A copy of an SVG that needs no style sheet.
function styledCopy(svg) {
  const copy = svg.cloneNode(true);
  const originals = [svg, ...svg.querySelectorAll("*")];
  for (const [k, made] of [copy, ...copy.querySelectorAll("*")].entries()) {
    const style = getComputedStyle(originals[k]);
    for (const property of STYLED) {
      const value = style.getPropertyValue(property);
      if (value) made.setAttribute(property, value.replace(/url\("?.*?#([\w-]+)"?\)/, "url(#$1)"));
    }
    for (const name of ["class", "tabindex", "role", "aria-label", "aria-pressed", "style"]) made.removeAttribute(name);
  }
  return copy;
}

// The graph as it is shown, as an SVG text that needs no style sheet.
function exportedSvg() {
  const copy = styledCopy(graph);
  const { width, height } = graph.viewBox.baseVal;
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  const paper = getComputedStyle($("stage")).backgroundColor;
  copy.prepend(svgElement("rect", { width, height, fill: paper }));
  const where = drawings.length > 1 ? `, ${pathInWords(open.index)}` : "";
  copy.prepend(svgElement("title", {}, `${document.title}, step ${state.at + 1} of ${stops().length}${where}`));
  return new XMLSerializer().serializeToString(copy);
}

const saveSvg = () => saveFile(exportedSvg(), "image/svg+xml", `step-${state.at + 1}.svg`);

function saveFile(text, type, name) {
  const file = URL.createObjectURL(new Blob([text], { type }));
  element("a", { href: file, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(file), 1000);
}

// The address of this step, which is put into the address line where that is possible.
function linkHere() {
  const isFramed = location.protocol === "about:"; // in a notebook: the part after a saved page's name
  noteAddress();
  return (isFramed ? "" : location.href.split("#")[0]) + linkFragment();
}

// What shows the page in another; a page opened from disk by its name alone, to lie beside the other.
function embedding() {
  const link = linkHere();
  const source = location.protocol === "file:" ? link.split("#")[0].split("/").at(-1) + linkFragment() : link;
  return element("iframe", { src: source, title: document.title, width: "100%", height: 640, loading: "lazy", allow: "fullscreen; clipboard-write" }).outerHTML;
}

// Put a text into a box and, where it is allowed, into the clipboard.
function offer(text) {
  $("link-text").hidden = false;
  $("link-text").value = text;
  $("link-text").select();
  navigator.clipboard?.writeText(text).catch(() => {});
}

// For the projector; where the browser does not give the whole screen, the window must do.
function setPresenting(presenting) {
  document.body.classList.toggle("present", presenting);
  $("leave").hidden = !presenting;
  zoom = null; // the room decides
  if (presenting) {
    document.documentElement.requestFullscreen?.().catch(() => {});
    toggleTools(false);
    $("panel").focus();
  } else if (document.fullscreenElement) document.exitFullscreen();
  refit();
}

function toggleTools(isOpen = $("tools").hidden) {
  buildTools();
  $("tools").hidden = !isOpen;
  $("more").setAttribute("aria-expanded", String(isOpen));
  $("more").textContent = isOpen ? "More ▴" : "More ▾";
  resize();
  if (isOpen) $("tools").scrollIntoView({ block: "nearest" });
}

// Make what lists the inputs when it is asked for first: there may be thousands.
function buildTools() {
  if ($("check-input").options.length) return;
  for (const i of inputs) {
    $("check-input").append(element("option", { value: i }, nodes[i].name));
    const box = element("input", { type: "checkbox", value: i, checked: nodes[i].kind === "parameter" || !inputs.some((k) => nodes[k].kind === "parameter") });
    $("descent-inputs").append(typeset(element("label", {}, box, ` ${nodes[i].name}`)));
  }
  for (const id of ["check", "descend", "descend-ten"]) $(id).disabled = !canCompute;
}
