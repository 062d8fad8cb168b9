/** In place of semver in what is bundled: conf needs it where settings migrate, which ours do not, and loads it always. */
for (const name of ['clean', 'eq', 'gt', 'lte', 'satisfies']) {
  exports[name] = (...values) => require('../../node_modules/semver/index.js')[name](...values);
}
