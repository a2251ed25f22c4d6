// Python's random.Random(seed), so that first weights drawn here are those that Python draws: the
// Mersenne Twister MT19937 of Matsumoto and Nishimura, 1998, seeded as Python seeds it.
class Random {
  constructor(seed) {
    const words = new Uint32Array(624);
    words[0] = 19650218;
    for (let i = 1; i < 624; i += 1) words[i] = Math.imul(1812433253, words[i - 1] ^ (words[i - 1] >>> 30)) + i;
    let i = 1;
    const mixIn = (factor, added) => {
      words[i] = (words[i] ^ Math.imul(words[i - 1] ^ (words[i - 1] >>> 30), factor)) + added(i);
      i += 1;
      if (i === 624) [words[0], i] = [words[623], 1];
    };
    for (let k = 0; k < 624; k += 1) mixIn(1664525, () => seed);
    for (let k = 0; k < 623; k += 1) mixIn(1566083941, (at) => -at);
    words[0] = 0x80000000;
    this.words = words;
    this.at = 624;
  }

  // The next 32 bits.
  next() {
    const { words } = this;
    if (this.at === 624) {
      for (let k = 0; k < 624; k += 1) {
        const joined = (words[k] & 0x80000000) | (words[(k + 1) % 624] & 0x7fffffff);
        words[k] = words[(k + 397) % 624] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
      }
      this.at = 0;
    }
    let y = words[this.at];
    this.at += 1;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  // A number in [0, 1) of 53 bits.
  random() {
    const [high, low] = [this.next() >>> 5, this.next() >>> 6];
    return (high * 67108864 + low) / 9007199254740992;
  }

  uniform(low, high) {
    return low + (high - low) * this.random();
  }
}
