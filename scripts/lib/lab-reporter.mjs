/**
 * A vitest reporter that prints the lab as a table: for each pair of networks the path that its session ended up on, the
 * time to the first session and to that path; for each other test its name and how it ended.
 */
export default class LabReporter {
  #firstMs = [];
  #failed = 0;
  #skipped = new Set();

  onTestRunStart() {
    print('pair', 'path', 'first session', 'this path');
  }

  onTestCaseResult(test) {
    const { state, errors = [] } = test.result();
    const { lab } = test.meta();
    if (state === 'skipped') return void this.#skip(test);
    if (lab) {
      const name = state === 'passed' ? lab.pair : `${lab.pair} FAILED`;
      print(name, lab.path, inMs(lab.firstMs), inMs(lab.pathMs));
      this.#firstMs.push(lab.firstMs);
    } else print(test.name, state, '', inMs(test.diagnostic()?.duration));
    if (state !== 'failed') return;
    this.#failed += 1;
    for (const { message } of errors) console.log(message);
  }

  onTestRunEnd(modules, unhandledErrors) {
    const broken = modules.flatMap((module) => [
      ...module.errors(),
      ...[...module.children.allSuites()].flatMap((suite) => suite.errors()),
    ]);
    for (const { message } of [...broken, ...unhandledErrors]) console.log(message);
    for (const reason of this.#skipped) console.log(reason);
    const median = this.#firstMs.sort((a, b) => a - b)[Math.floor(this.#firstMs.length / 2)];
    if (median !== undefined)
      console.log(`\n${this.#firstMs.length} pairs have a session; median to the first: ${inMs(median)}`);
    if (this.#failed > 0) console.log(`${this.#failed} failed`);
  }

  /** A whole group that cannot run says why in its name. */
  #skip(test) {
    const [, reason] = /\(skipped: (.*?)\)/.exec(test.fullName) ?? [];
    if (reason) this.#skipped.add(`the lab is skipped: ${reason}`);
  }
}

function inMs(ms) {
  return ms === undefined ? '-' : `${Math.round(ms)} ms`;
}

function print(pair, path, first, settled) {
  console.log(`${pair.padEnd(72)} ${path.padEnd(10)} ${first.padStart(13)} ${settled.padStart(11)}`);
}
