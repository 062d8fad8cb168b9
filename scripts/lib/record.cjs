/**
 * record.cjs MAIN.JS ARGUMENTS...: runs one of our programs, and when it ends keeps the code that V8 has made of it by
 * then, which is that of the functions that were called.
 */
const { writeFileSync } = require('node:fs');

const [main, ...args] = process.argv.splice(2);
process.argv = [process.execPath, main, ...args];
const { codeFileOf, digestOf, pieces } = require(main);

process.on('exit', () => {
  for (const [file, { source, script }] of pieces) {
    const code = script.createCachedData();
    writeFileSync(codeFileOf(file), Buffer.concat([digestOf(source, code), code]));
  }
});
