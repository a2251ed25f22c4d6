// Exact numbers: fractions {n, d} of whole numbers in lowest terms, d > 0; ±1/0 are the infinities.
// A function returns null where there is no such number, as for 0/0.

function fraction(n, d = 1n) {
  let [by, rest] = [n, d];
  while (rest) [by, rest] = [rest, by % rest];
  if (by < 0n) by = -by;
  return by ? { n: n / by, d: d / by } : null;
}

const plus = (a, b) => (a.d || b.d ? fraction(a.n * b.d + b.n * a.d, a.d * b.d) : fraction(a.n + b.n, 0n));
const negative = ({ n, d }) => ({ n: -n, d });
const times = (a, b) => fraction(a.n * b.n, a.d * b.d);
const over = (a, b) => (b.n < 0n ? fraction(-a.n * b.d, -b.n * a.d) : fraction(a.n * b.d, a.d * b.n));
const areEqual = (a, b) => a.n === b.n && a.d === b.d;
const isBelow = (a, b) => (a.d || b.d ? a.n * b.d < b.n * a.d : a.n < b.n);

// The fraction that is written for x: 0.1 is one tenth.
function fractionOf(x, written) {
  if (Number.isNaN(x)) return null;
  if (!Number.isFinite(x)) return { n: BigInt(Math.sign(x)), d: 0n };
  const [mantissa, exponent = "0"] = written.split("e");
  const [whole, decimals = ""] = mantissa.split(".");
  const power = 10n ** BigInt(Math.abs(exponent - decimals.length));
  const digits = BigInt(whole + decimals);
  return exponent < decimals.length ? fraction(digits, power) : fraction(digits * power);
}
