function descend(generation) {
  return 1 + descend(generation + 1);
}
console.log(descend(1));
