// What the workload `quickjs` runs: what scripts do, n rounds of it.
class Shape {
  constructor(name) { this.name = name; }
  area() { return 0; }
  describe() { return `${this.name}:${this.area().toFixed(2)}`; }
}
class Circle extends Shape {
  constructor(r) { super("circle"); this.r = r; }
  area() { return Math.PI * this.r ** 2; }
}
class Box extends Shape {
  constructor(a, b) { super("box"); this.a = a; this.b = b; }
  area() { return this.a * this.b; }
}

function shapes(n) {
  const list = [];
  for (let i = 0; i < n; i++) list.push(i % 3 ? new Circle(i % 17) : new Box(i, i % 5));
  list.sort((a, b) => a.area() - b.area() || (a.name < b.name ? -1 : 1));
  return list.map((s) => s.describe()).join(" ");
}

function words(text) {
  const counts = new Map();
  for (const [word] of text.matchAll(/[a-z]+/g)) counts.set(word, (counts.get(word) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).slice(0, 5);
}

function records(n, seed) {
  const out = [];
  for (let i = 0; i < n; i++) {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    out.push({ id: i, key: seed.toString(36), tags: [seed % 7, seed % 11], nested: { ok: (seed & 1) === 0 } });
  }
  const again = JSON.parse(JSON.stringify(out));
  return again.filter((r) => r.nested.ok).reduce((sum, r) => sum + r.tags[0] * r.tags[1] + r.key.length, 0);
}

function primes(limit) {
  const sieve = new Uint8Array(limit);
  let found = 0;
  for (let i = 2; i < limit; i++) {
    if (sieve[i]) continue;
    found++;
    for (let k = i * i; k < limit; k += i) sieve[k] = 1;
  }
  return found;
}

const fib = (n) => (n < 2 ? n : fib(n - 1) + fib(n - 2));
const text = "the quick brown fox jumps over the lazy dog and runs away from the bear in the wood ".repeat(8);
let result = "";
for (let round = 0; round < ROUNDS; round++) {
  result = [shapes(120), words(text.slice(round)), records(60, round + 1), primes(3000), fib(14)].join("|");
}
result;
