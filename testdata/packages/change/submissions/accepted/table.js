const [target, kinds, ...coins] = require('fs').readFileSync(0, 'utf8').trim().split(/\s+/).map(Number);
const ways = new Uint32Array(target + 1);
ways[0] = 1;
for (const coin of coins) {
  for (let amount = coin; amount <= target; amount++) ways[amount] = (ways[amount] + ways[amount - coin]) % 1000000007;
}
console.log(String(ways[target]));
