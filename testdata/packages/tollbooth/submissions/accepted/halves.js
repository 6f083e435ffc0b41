// Sums beyond 2^53 are kept in two halves.
const bytes = require('fs').readFileSync(0);
let position = 0;
function next() {
  let value = 0;
  while (position < bytes.length && bytes[position] !== 10) value = 10 * value + bytes[position++] - 48;
  position++;
  return value;
}
const half = 1e6;
let high = 0, low = 0, largest = 0;
for (let count = next(); count > 0; count--) {
  const toll = next();
  high += Math.floor(toll / half);
  low += toll % half;
  if (toll > largest) largest = toll;
}
console.log(String(BigInt(high) * BigInt(half) + BigInt(low)), String(largest));
