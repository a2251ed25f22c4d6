// What a reader is likely to want comes first: guides before the rest, and reasons for decisions last.
var FIRST = [["start/", 12], ["guides/", 12], ["explained/", 8], ["decisions/", -60]];

var Scorer = {
  score: ([page, , , , score]) => score + (FIRST.find(([folder]) => page.startsWith(folder)) ?? ["", 0])[1],
  objNameMatch: 30, // a name written in full is that of its page in the reference
  objPartialMatch: 1, // "ode" is part of "model"
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 4, // it is in "code" as well
  term: 5,
  partialTerm: 2,
};
