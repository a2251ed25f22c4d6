// Judges by the painted pixels whether a person can see each control of a page. The driver, visibility.py, calls
// next(), which brings a control into view, and then judge(), with a screenshot of the window.
window.visibility = (() => {
  const CONTROLS = "button, select, textarea, summary, a[href], label:has(input), "
    + "input:not([type=radio], [type=checkbox]), [role=button]";
  const TEXT = 5.5; // least contrast of a text with what is painted behind it
  const SHAPE = 3; // least contrast of an icon, a slider or a border, and of what is disabled
  const isShown = (part) => part.checkVisibility({ visibilityProperty: true }) && !part.closest(".hidden");
  const name = (part) => part.id || part.getAttribute("aria-label") || part.textContent.trim() || part.outerHTML.slice(0, 80);

  // Colours.
  const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  function rgba(colour) {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    return [...brush.getImageData(0, 0, 1, 1).data];
  }
  const linear = (x) => (x <= 10.31475 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  function contrast(a, b) {
    const [dark, bright] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (bright + 0.05) / (dark + 0.05);
  }

  // The colours painted in a box: the most frequent one, and the greatest contrast with it.
  function painted(picture, { x, y, width, height }) {
    const [left, top] = [Math.max(0, Math.floor(x)), Math.max(0, Math.floor(y))];
    const across = Math.min(Math.ceil(x + width), picture.canvas.width) - left;
    const down = Math.min(Math.ceil(y + height), picture.canvas.height) - top;
    const { data } = picture.getImageData(left, top, Math.max(1, across), Math.max(1, down));
    const counts = new Map();
    for (let i = 0; i < data.length; i += 4) {
      const key = (data[i] << 16) | (data[i + 1] << 8) | data[i + 2];
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const colours = [...counts].sort((a, b) => b[1] - a[1]).map(([key]) => [key >> 16, (key >> 8) & 255, key & 255]);
    return { behind: colours[0], most: Math.max(...colours.map((colour) => contrast(colour, colours[0]))) };
  }

  // The texts of a control, each with its box and its colour.
  function textsOf(control) {
    if (control.matches("input, select, textarea")) {
      const style = getComputedStyle(control, control.value || !control.placeholder ? null : "::placeholder");
      const text = control.matches("[type=range]") ? "" : control.value || control.placeholder || "";
      return text ? [{ text, colour: style.color, box: control.getBoundingClientRect(), part: control }] : [];
    }
    const walker = document.createTreeWalker(control, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const { data, parentElement: part } = walker.currentNode;
      if (!data.trim() || !isShown(part) || part.closest("select, title, option")) continue;
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      const box = range.getBoundingClientRect();
      const style = getComputedStyle(part);
      if (box.width) found.push({ text: data.trim(), colour: part.ownerSVGElement ? style.fill : style.color, box, part });
    }
    return found;
  }

  function opacity(part) {
    return part ? Number(getComputedStyle(part).opacity) * opacity(part.parentElement) : 1;
  }

  const isDisabled = (control) => [control, ...control.querySelectorAll("input, select")].some((part) => part.matches(":disabled, [aria-disabled=true]"));

  function faultsOf(control, picture) {
    const least = isDisabled(control) ? SHAPE : TEXT;
    const texts = textsOf(control);
    const { most } = painted(picture, control.getBoundingClientRect());
    if (!texts.length) return most < SHAPE ? [`${name(control)}: painted with a contrast of ${most.toFixed(2)}`] : [];
    return texts.flatMap(({ text, colour, box, part }) => {
      const { behind, most: seen } = painted(picture, box);
      const [r, g, b, alpha] = rgba(colour);
      const share = (alpha / 255) * opacity(part);
      const mixed = [r, g, b].map((x, i) => share * x + (1 - share) * behind[i]);
      const ratio = contrast(mixed, behind);
      return ratio < least || seen < SHAPE
        ? [`${name(control)}: “${text}” ${mixed.map(Math.round)} on ${behind}: ${ratio.toFixed(2)}, painted ${seen.toFixed(2)}`] : [];
    });
  }

  // Whether the middle of a control lies in the window, covered by nothing else.
  function isInSight(control) {
    const { left, right, top, bottom } = control.getBoundingClientRect();
    if (left < -1 || top < -1 || right > innerWidth + 1 || bottom > innerHeight + 1) return false;
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return Boolean(hit) && (control.contains(hit) || hit.contains(control) && hit.matches("label, svg") || hit.closest("label")?.contains(control));
  }

  const waiting = new Set([...document.querySelectorAll(CONTROLS)].filter((part) => isShown(part) && part.getBoundingClientRect().width));
  const count = waiting.size;
  const faults = [];
  let wanted = null;
  if (document.documentElement.scrollWidth > innerWidth) faults.push(`the page is ${document.documentElement.scrollWidth} pixels wide`);
  return {
    next() {
      [wanted] = waiting;
      wanted?.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
      return Boolean(wanted);
    },
    async judge(png) {
      const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes]));
      const picture = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
      picture.drawImage(bitmap, 0, 0);
      if (!isInSight(wanted)) faults.push(`${name(wanted)}: cannot be brought into sight`);
      for (const control of [...waiting]) {
        if (control !== wanted && !isInSight(control)) continue;
        waiting.delete(control);
        if (isInSight(control)) faults.push(...faultsOf(control, picture));
      }
    },
    result: () => [count, faults],
  };
})();
