const [count, first, step] = require('fs').readFileSync(0, 'utf8').trim().split(' ').map(Number);
const times = [];
for (let index = 0; index < count; index++) times.push(first + index * step);
require('fs').writeFileSync(1, times.join('\n') + '\n');
