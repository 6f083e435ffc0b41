const lines = require('fs').readFileSync(0, 'utf8').split('\n');
const count = Number(lines[0]);
process.stdout.write(lines.slice(1, count + 1).map((line) => [...line].reverse().join('') + '\n').join(''));
