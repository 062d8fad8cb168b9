import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { describe, expect, it } from 'vitest';
import { defaultGateway, parseRoutes } from '../../../../src/peer/paths/port-mapping/gateway-address.js';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
const line = (destination: string, gateway: string, flags: string, metric: number, mask = '00000000') =>
  `eth0\t${destination}\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0   `;

describe.runIf(os.endianness() === 'LE')('the table of routes', () => {
  it.each([
    ['the default route’s gateway', [line('00000000', '0101A8C0', '0003', 0)], '192.168.1.1'],
    [
      'that of the lowest metric',
      [line('00000000', '0101A8C0', '0003', 600), line('00000000', '0102000A', '0003', 100)],
      '10.0.2.1',
    ],
    ['none for a route into the LAN', [line('0001A8C0', '00000000', '0001', 0, '00FFFFFF')], null],
    ['none for a default route without a gateway, as of a tunnel', [line('00000000', '00000000', '0001', 0)], null],
    ['none for a default route that is down', [line('00000000', '0101A8C0', '0002', 0)], null],
    ['none for half of the internet', [line('00000000', '0101A8C0', '0003', 0, '00000080')], null],
    ['none if it is cut off', ['eth0\t00000000\t0101'], null],
    ['none if it is empty', [], null],
  ])('gives %s', (_, lines, gateway) => {
    expect(parseRoutes([HEAD, ...lines, ''].join('\n'))).toBe(gateway);
  });
});

it.runIf(process.platform === 'linux')('agrees with the system', async () => {
  let told = '';
  try {
    told = execFileSync('ip', ['-4', 'route', 'show', 'default'], { encoding: 'utf8' });
  } catch {
    return;
  }
  expect(await defaultGateway()).toBe(/via (\S+)/.exec(told)?.[1] ?? null);
});
