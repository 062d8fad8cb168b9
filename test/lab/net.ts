import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { type Gateway, type GatewayPorts, gatewayRules } from './gateways.js';

/**
 * Two peers, a mediator and the internet between them, in network namespaces of Linux:
 *
 *   a ── [gateways of a] ── r1 ── r2 ── r3 ── r4 ── [gateways of b] ── b
 *                                 │
 *                                 m, the mediator
 *
 *   a 192.168.1.2    gateway 192.168.1.1 | 198.51.100.2    r1 198.51.100.1
 *   b 192.168.2.2    gateway 192.168.2.1 | 203.0.113.2     r4 203.0.113.1
 *   m 192.0.2.2 and 192.0.2.3                              r2 192.0.2.1
 *
 * With two gateways in a row, the outer one is the provider's, and 100.64.1.0/24 (100.64.2.0/24) lies between them. With
 * none, the peer has the outermost gateway's place and address. Four routers, so that packets with a TTL of 5 die before
 * they reach the other side.
 *
 * With its mediator at home, m is behind the gateway next to a, which forwards the mediator's ports to it:
 *
 *   a ──┐
 *       ├── ga1 198.51.100.2 ── r1 ── …
 *   m ──┘ 192.168.3.2
 *
 * With gateways that both share, all this hangs on their inside:
 *
 *   a ── [gateways of a] ──┐ 100.64.0.2
 *                          ├── [shared gateways] ── r1 ── …
 *   b ── [gateways of b] ──┘ 100.64.0.3
 */
export interface Wiring {
  /** From the peer outwards. */
  a: readonly GatewaySpec[];
  b: readonly GatewaySpec[];
  /** Also from the inside outwards. */
  shared?: readonly GatewaySpec[];
  /** The mediator is behind a's gateway. */
  mediatorAtHome?: true;
}

export type GatewaySpec = Gateway | ({ kind: Gateway } & Partial<GatewayPorts>);

export const MEDIATOR_ADDRESS = '192.0.2.2';
export const MEDIATOR_SECOND_ADDRESS = '192.0.2.3';
/** Of a mediator at home: for a, and for everybody else. */
export const MEDIATOR_AT_HOME = { a: '192.168.3.2', b: '198.51.100.2' } as const;

const ROUTERS = ['r1', 'r2', 'r3', 'r4'] as const;
const SIDES = {
  a: { lan: '192.168.1', between: '100.64.1', wan: '198.51.100' },
  b: { lan: '192.168.2', between: '100.64.2', wan: '203.0.113' },
} as const;
type Side = keyof typeof SIDES;

/** Where something can be connected, on the inside of what is there already. */
interface Outlet {
  name: string;
  port: string;
  /** The first three numbers of its addresses; its own ends in 1. */
  network: string;
  /** The last number of whoever is connected. */
  host: number;
  /** It is a switch: others may be connected too. */
  isSwitch: boolean;
}

/** Why a lab cannot be built here; null if it can. */
export function whyNoLab(): string | null {
  if (process.platform !== 'linux') return 'the lab needs Linux';
  if (process.getuid?.() !== 0) return 'the lab needs root';
  for (const program of ['ip', 'nft']) {
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    } catch {
      return `the lab needs ${program}`;
    }
  }
  try {
    execFileSync('ip', ['netns', 'add', `tb${process.pid}-try`], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'del', `tb${process.pid}-try`], { stdio: 'ignore' });
    return null;
  } catch {
    return 'network namespaces cannot be made here';
  }
}

const FORWARD_TO_MEDIATOR = `table ip forwarding {
  chain pre {
    type nat hook prerouting priority dstnat;
    iifname "wan" tcp dport 54700 dnat to ${MEDIATOR_AT_HOME.a}
    iifname "wan" udp dport { 54700, 54701 } dnat to ${MEDIATOR_AT_HOME.a}
  }
}`;

const labs = new Set<Lab>();
let built = 0;

function demolishAll(): void {
  for (const lab of [...labs]) lab.demolish();
}
process.on('exit', demolishAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    demolishAll();
    process.kill(process.pid, signal);
  });
}

/** Namespaces and the processes in them. `demolish` leaves neither. */
export class Lab {
  readonly #prefix: string;
  readonly #namespaces = new Set<string>();
  readonly #children = new Set<ChildProcess>();

  constructor(wiring: Wiring) {
    built += 1;
    this.#prefix = `tb${process.pid}x${built}-`;
    labs.add(this);
    try {
      this.#buildInternet();
      if (!wiring.mediatorAtHome) this.#connectMediator();
      const { shared = [] } = wiring;
      const inside = shared.length > 0 ? this.#buildShared(shared) : null;
      this.#buildSide('a', wiring.a, inside ?? this.#outletOf('r1', 'left', SIDES.a.wan));
      this.#buildSide('b', wiring.b, inside ? { ...inside, host: 3 } : this.#outletOf('r4', 'right', SIDES.b.wan));
      if (wiring.mediatorAtHome) this.#connectMediatorAtHome();
    } catch (error) {
      this.demolish();
      throw error;
    }
  }

  /** A process in the namespace of `where`: a, b, m, r1 … r4, or a gateway (ga1 is the one next to a). */
  spawn(where: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.#name(where), command, ...args], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    return child;
  }

  /** Runs a command to its end and returns what it prints. */
  run(where: string, command: string, args: readonly string[], input?: string): string {
    return execFileSync('ip', ['netns', 'exec', this.#name(where), command, ...args], {
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(input !== undefined && { input }),
    });
  }

  nft(where: string, script: string): void {
    this.run(where, 'nft', ['-f', '-'], script);
  }

  demolish(): void {
    labs.delete(this);
    for (const child of this.#children) child.kill('SIGKILL');
    for (const name of this.#namespaces) {
      try {
        execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
      } catch {
        // Gone already.
      }
    }
    this.#namespaces.clear();
  }

  #buildInternet(): void {
    for (const name of [...ROUTERS, 'm']) this.#add(name);
    for (const [at, router] of ROUTERS.entries()) {
      const next = ROUTERS[at + 1];
      if (!next) continue;
      this.#link([router, 'right', `10.255.${at}.1/24`], [next, 'left', `10.255.${at}.2/24`]);
    }
    for (const [at, router] of ROUTERS.entries()) {
      const routes = [];
      if (at > 0) routes.push(`route add 198.51.100.0/24 via 10.255.${at - 1}.1`);
      if (at < ROUTERS.length - 1) routes.push(`route add 203.0.113.0/24 via 10.255.${at}.2`);
      if (at === 0) routes.push(`route add 192.0.2.0/24 via 10.255.${at}.2`);
      if (at > 1) routes.push(`route add 192.0.2.0/24 via 10.255.${at - 1}.1`);
      this.#ip(router, routes);
    }
  }

  #connectMediator(): void {
    this.#link(['r2', 'mediator', '192.0.2.1/24'], ['m', 'wan', `${MEDIATOR_ADDRESS}/24`]);
    this.#ip('m', [`addr add ${MEDIATOR_SECOND_ADDRESS}/24 dev wan`, 'route add default via 192.0.2.1']);
  }

  #connectMediatorAtHome(): void {
    this.#link(['ga1', 'lan2', '192.168.3.1/24'], ['m', 'wan', `${MEDIATOR_AT_HOME.a}/24`]);
    this.#ip('m', ['route add default via 192.168.3.1']);
    this.nft('ga1', FORWARD_TO_MEDIATOR);
  }

  #buildShared(gateways: readonly GatewaySpec[]): Outlet {
    const outer = this.#outletOf('r1', 'left', SIDES.a.wan);
    const innermost = this.#buildGateways('gs', gateways, outer, ['100.64.0', '100.65.0']);
    const { name, network } = innermost;
    this.#ip(name, ['link add lan type bridge', `addr add ${network}.1/24 dev lan`, 'link set dev lan up']);
    return { ...innermost, isSwitch: true };
  }

  #buildSide(side: Side, gateways: readonly GatewaySpec[], outer: Outlet): void {
    const { lan, between } = SIDES[side];
    const inside = this.#buildGateways(`g${side}`, gateways, outer, [lan, between]);
    this.#add(side);
    this.#connect(inside, side, 'eth0');
  }

  /** @param networks on the inside of the first gateway, the second, … @returns what the innermost leaves open */
  #buildGateways(
    prefix: string,
    gateways: readonly GatewaySpec[],
    outer: Outlet,
    networks: readonly [string, string],
  ): Outlet {
    let outlet = outer;
    for (const [at, spec] of [...gateways.entries()].reverse()) {
      const name = `${prefix}${at + 1}`;
      const { kind, pool = 1024, step = 1 } = typeof spec === 'string' ? { kind: spec } : spec;
      this.#add(name);
      this.#connect(outlet, name, 'wan');
      this.nft(name, gatewayRules(kind, `${outlet.network}.${outlet.host}`, { pool, step }));
      outlet = this.#outletOf(name, 'lan', networks[at] ?? networks[0]);
    }
    return outlet;
  }

  #outletOf(name: string, port: string, network: string): Outlet {
    return { name, port, network, host: 2, isSwitch: false };
  }

  #connect({ name: outer, port, network, host, isSwitch }: Outlet, name: string, innerPort: string): void {
    const outerPort = isSwitch ? `to-${name}` : port;
    this.#link([outer, outerPort, isSwitch ? null : `${network}.1/24`], [name, innerPort, `${network}.${host}/24`]);
    if (isSwitch) this.#ip(outer, [`link set dev ${outerPort} master ${port}`]);
    this.#ip(name, [`route add default via ${network}.1`]);
  }

  #add(where: string): void {
    const name = this.#name(where);
    this.#namespaces.add(name);
    execFileSync('ip', ['netns', 'add', name]);
    this.#ip(where, ['link set lo up']);
    this.run(where, 'sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.disable_ipv6=1']);
  }

  #link(one: [string, string, string | null], other: [string, string, string]): void {
    const [[name, port, address], [otherName, otherPort, otherAddress]] = [one, other];
    const ends = ['name', port, 'netns', this.#name(name), 'type', 'veth', 'peer'];
    execFileSync('ip', ['link', 'add', ...ends, 'name', otherPort, 'netns', this.#name(otherName)]);
    this.#ip(name, [...(address ? [`addr add ${address} dev ${port}`] : []), `link set dev ${port} up`]);
    this.#ip(otherName, [`addr add ${otherAddress} dev ${otherPort}`, `link set dev ${otherPort} up`]);
  }

  #ip(where: string, commands: readonly string[]): void {
    if (commands.length === 0) return;
    execFileSync('ip', ['-n', this.#name(where), '-batch', '-'], { input: commands.join('\n') });
  }

  #name(where: string): string {
    return this.#prefix + where;
  }
}
