// Doubles lose digits in large products.
const lines = require('fs').readFileSync(0, 'utf8').split('\n');
for (const line of lines.slice(1, Number(lines[0]) + 1)) {
  const value = eval(line) % 1000000007;
  console.log(String(BigInt(Math.trunc(value < 0 ? value + 1000000007 : value))));
}
