// Words that were searched for are marked in the text; a drawing's title, which is no graphic, has no place for a mark.
document.addEventListener("DOMContentLoaded", () => {
  for (const part of document.querySelectorAll("svg :is(title, desc, style)")) part.classList.add("nohighlight");
});
