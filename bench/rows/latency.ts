import { House } from '../house.js';
import type { Report } from '../report.js';
import type { Effort, Row } from '../row.js';
import { Pair } from '../session.js';

/** One message at a time over an idle link: from one process's stdin to the other's stdout, journalled on both sides. */
export const latency: Row = {
  name: 'latency',
  async measure({ quick }: Effort): Promise<Report> {
    const count = quick ? 50 : 500;
    const house = await new House().open();
    const pair = await Pair.meet(house, 'tcp-direct');
    const samples: number[] = [];
    try {
      for (let index = 0; index < count; index++) {
        const text = `message ${index}`;
        const said = performance.now();
        pair.person('alice').command({ command: 'message', text });
        await pair.person('bob').event((event) => event.event === 'message' && event.text === text);
        // The first ones are those of a program that has not warmed up.
        if (index >= count / 5) samples.push(performance.now() - said);
      }
    } finally {
      await pair.part();
      await house.close();
    }
    return {
      row: this.name,
      lines: [
        {
          what: 'a message over an idle link',
          unit: { name: 'ms', better: 'less' },
          ours: samples,
          reference: null,
          goals: [{ of: 'ours', atMost: 1 }],
        },
      ],
      missing: [],
    };
  },
};
