// Busy for a second once it is told to go: no Python at all.
console.log('{"ready": true}');
process.stdin.once('data', () => {
  const end = Date.now() + 1000;
  while (Date.now() < end);
  console.log('{"done": true}');
});
