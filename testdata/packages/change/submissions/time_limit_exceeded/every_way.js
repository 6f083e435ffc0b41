// Counts the ways one by one.
const [target, kinds, ...coins] = require('fs').readFileSync(0, 'utf8').trim().split(/\s+/).map(Number);
function ways(amount, left) {
  if (amount === 0) return 1;
  if (left === 0) return 0;
  let total = 0;
  for (let rest = amount; rest >= 0; rest -= coins[left - 1]) total += ways(rest, left - 1);
  return total;
}
console.log(String(ways(target, kinds) % 1000000007));
