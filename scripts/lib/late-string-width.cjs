/**
 * In place of string-width in what is bundled: most text is plain, and the segmenter and the tables of emoji that the
 * rest needs take 10 ms to make.
 */
const PLAIN = /^[ -~]*$/;

module.exports = (text, options) =>
  PLAIN.test(text) ? text.length : require('../../node_modules/string-width/index.js').default(text, options);
