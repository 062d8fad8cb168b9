/**
 * In place of node:assert in what is bundled, of which yargs and conf need three functions: Node's own brings what shows
 * differences in colours, and yargs lets one fail at each start.
 */
const { isDeepStrictEqual } = require('node:util');

exports.strictEqual = (actual, expected, message) => hold(Object.is(actual, expected), message);
exports.notStrictEqual = (actual, expected, message) => hold(!Object.is(actual, expected), message);
exports.deepEqual = (actual, expected, message) => hold(isDeepStrictEqual(actual, expected), message);

function hold(condition, message) {
  if (!condition) throw new Error(message ?? 'an assertion does not hold');
}
