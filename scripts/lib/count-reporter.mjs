import { writeFileSync } from 'node:fs';

/**
 * A vitest reporter that writes what scripts/test adds up, to the file that TEST_COUNTS names:
 * { passed, failed: [name], skipped: [{ name, reason }] }
 * A group that is skipped as a whole says why in its name, as "(skipped: reason)".
 */
export default class CountReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const counts = { passed: 0, failed: [], skipped: [] };
    for (const module of modules) {
      for (const test of module.children.allTests()) count(test, counts, module.relativeModuleId);
      // Of a file or a group: what could not be loaded or set up has no test to blame.
      for (const suite of [module, ...module.children.allSuites()]) {
        for (const { message } of suite.errors()) counts.failed.push(`${module.relativeModuleId}: ${message}`);
      }
    }
    for (const { message } of unhandledErrors) counts.failed.push(`outside of any test: ${message}`);
    writeFileSync(process.env.TEST_COUNTS, JSON.stringify(counts));
  }
}

function count(test, counts, file) {
  const { state, note } = test.result();
  const name = `${file}: ${test.fullName}`;
  if (state === 'passed') counts.passed += 1;
  else if (state === 'skipped') counts.skipped.push({ name, reason: note ?? reasonIn(name) });
  else counts.failed.push(name);
}

function reasonIn(name) {
  return /\(skipped: (.*?)\)/.exec(name)?.[1] ?? '';
}
