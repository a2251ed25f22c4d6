// What a reader is likely to want comes first: pages whose title has the words that were asked for, guides and
// notebooks before the rest, and reasons for decisions last.
var FIRST = [["explained/glossary", -30], ["start/", 12], ["guides/", 12], ["explained/", 8], ["notebooks/", 8], ["decisions/", -60]];
var IN_TITLE = 24; // for all words asked for; a share of them counts by its square
var SMALL = new Set(["a", "an", "and", "by", "for", "from", "in", "into", "is", "of", "on", "or", "the", "to", "with"]);

function wordsOf(text) {
  return text.toLowerCase().split(/[^\p{L}\p{N}_]+/u).filter((word) => word && !SMALL.has(word));
}

// The share of the words asked for with which words of a title begin, "moon" in "Two moons".
function shareInTitle(title) {
  var asked = wordsOf(new URLSearchParams(location.search).get("q") ?? "");
  var there = wordsOf(title.replace(/<[^>]*>/g, ""));
  return asked.filter((word) => there.some((other) => other.startsWith(word))).length / (asked.length || 1);
}

var Scorer = {
  score: ([page, title, , , score]) =>
    score + (FIRST.find(([folder]) => page.startsWith(folder)) ?? ["", 0])[1] + IN_TITLE * shareInTitle(title) ** 2,
  objNameMatch: 30, // a name written in full is that of its page in the reference
  objPartialMatch: 1, // "ode" is part of "model"
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 4, // it is in "code" as well
  term: 5,
  partialTerm: 2,
};
