const numbers = require('fs').readFileSync(0, 'utf8').trim().split(/\s+/).map(Number);
const children = numbers.map(() => []);
for (let person = 1; person < numbers.length; person++) children[numbers[person]].push(person);
let total = 0, generations = 0;
function visit(person, generation) {
  generations = Math.max(generations, generation);
  let size = 1;
  for (const child of children[person]) size += visit(child, generation + 1);
  total = (total + size * person) % 1000000007;
  return size;
}
visit(children[0][0], 1);
console.log(`${generations} ${total}`);
