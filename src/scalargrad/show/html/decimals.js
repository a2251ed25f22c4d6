// Decimals {n, e}: n·10^e, where n is a whole number of at most 50 digits that does not end in 0. A
// function returns null where there is no such number, as for 1/3, and of null.

const MOST = 10n ** 50n;
const SCALE = 100; // the digits of a quotient of two such numbers that has an end
const ZERO = { n: 0n, e: 0 };

function normal(n, e) {
  if (!n) return ZERO;
  while (n % 10n === 0n) [n, e] = [n / 10n, e + 1];
  return n < MOST && n > -MOST ? { n, e } : null;
}

function plus(a, b) {
  if (!a || !b) return null;
  const e = Math.min(a.e, b.e);
  const [x, y] = [a, b].map((c) => c.n * 10n ** BigInt(c.e - e));
  return normal(x + y, e);
}

const times = (a, b) => a && b && normal(a.n * b.n, a.e + b.e);
const negative = (a) => a && { n: -a.n, e: a.e };

function over(a, b) {
  if (!a || !b?.n) return null;
  const n = a.n * 10n ** BigInt(SCALE);
  return n % b.n ? null : normal(n / b.n, a.e - b.e - SCALE);
}

const areEqual = (a, b) => Boolean(a && b) && a.n === b.n && a.e === b.e;
const nearest = ({ n, e }) => Number(`${n}e${e}`);

// A number as it is written.
function readDecimal(written) {
  const [mantissa, exponent = "0"] = written.split("e");
  const [whole, decimals = ""] = mantissa.split(".");
  return /\d/.test(whole) ? normal(BigInt(whole + decimals), exponent - decimals.length) : null;
}
