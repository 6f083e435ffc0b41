const numbers = require('fs').readFileSync(0, 'utf8').trim().split(/\s+/).map(Number);
const count = numbers[0];
const first = new Int32Array(count + 1), next = new Int32Array(count + 1);
for (let person = 1; person <= count; person++) {
  next[person] = first[numbers[person]];
  first[numbers[person]] = person;
}
const size = new Int32Array(count + 1).fill(1);
const order = [first[0]];
const generation = new Int32Array(count + 1);
let generations = 0;
for (let place = 0; place < order.length; place++) {
  const person = order[place];
  generation[person] = generation[numbers[person]] + 1;
  generations = Math.max(generations, generation[person]);
  for (let child = first[person]; child; child = next[child]) order.push(child);
}
let total = 0;
for (let place = count - 1; place >= 0; place--) {
  const person = order[place];
  size[numbers[person]] += size[person];
  total = (total + size[person] * person) % 1000000007;
}
console.log(`${generations} ${total}`);
