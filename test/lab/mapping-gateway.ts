import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Lab } from './net.js';

/** The daemon refuses documentation addresses as its external one, so a's gateway gets another besides. */
export const EXTERNAL = '20.0.1.2';

/** Languages for asking for a mapping, each with what takes it away from the gateway. */
export const LANGUAGES = {
  PCP: '',
  'NAT-PMP': 'udp dport 5351 @th,64,8 2 drop',
  UPnP: 'udp dport 5351 drop',
} as const;
export type MappingLanguage = keyof typeof LANGUAGES;

export function hasMiniupnpd(): boolean {
  try {
    execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin command -v miniupnpd'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** miniupnpd on a's gateway: a real UPnP IGD, NAT-PMP and PCP server over nftables. */
export class MappingGateway {
  readonly #lab: Lab;
  readonly #folder = mkdtempSync(join(tmpdir(), 'turbo-beep-miniupnpd-'));
  #daemon: ChildProcess | null = null;

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** @param language the only one that it understands @param lifetimeSeconds the longest that it grants by PCP */
  async start(language: MappingLanguage, lifetimeSeconds = 86_400): Promise<void> {
    this.#addExternalAddress();
    this.#lab.nft('ga1', tables(LANGUAGES[language]));
    const config = join(this.#folder, 'miniupnpd.conf');
    writeFileSync(config, `${CONFIG}lease_file=${this.#leaseFile}\nmax_lifetime=${lifetimeSeconds}\n`);
    // -d: stays in the foreground and tells what it does.
    const daemon = this.#lab.spawn('ga1', '/usr/sbin/miniupnpd', ['-d', '-f', config, '-P', join(this.#folder, 'pid')]);
    this.#daemon = daemon;
    await new Promise<void>((listening, failed) => {
      let said = '';
      daemon.stderr?.on('data', (text) => {
        said += text;
        if (said.includes('Listening for NAT-PMP/PCP')) listening();
      });
      daemon.once('exit', () => failed(new Error(`miniupnpd did not start: ${said}`)));
    });
  }

  stop(): void {
    this.#daemon?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What is mapped now. */
  leases(): { transport: string; external: number; internal: number; endsAt: number; note: string }[] {
    const text = existsSync(this.#leaseFile) ? readFileSync(this.#leaseFile, 'utf8') : '';
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [transport = '', external, , internal, endsAt, note = ''] = line.split(':');
        return { transport, external: Number(external), internal: Number(internal), endsAt: Number(endsAt), note };
      });
  }

  get #leaseFile(): string {
    return join(this.#folder, 'leases');
  }

  #addExternalAddress(): void {
    const ip = (where: string, ...words: string[]) => this.#lab.run(where, 'ip', words);
    ip('ga1', 'addr', 'add', `${EXTERNAL}/24`, 'dev', 'wan');
    ip('r1', 'addr', 'add', '20.0.1.1/24', 'dev', 'left');
    for (const [at, router] of ['r2', 'r3', 'r4'].entries()) {
      ip(router, 'route', 'add', '20.0.1.0/24', 'via', `10.255.${at}.1`);
    }
  }
}

/** Where the daemon puts its rules, and what it is not to hear. */
function tables(deaf: string): string {
  return `table inet miniupnpd {
  chain forward { }
  chain redirects { }
  chain masquerades { }
  chain prerouting {
    type nat hook prerouting priority dstnat;
    jump redirects
  }
  chain input {
    type filter hook input priority 5;
    ${deaf}
  }
}
`;
}

const CONFIG = `ext_ifname=wan
ext_ip=${EXTERNAL}
listening_ip=lan
enable_natpmp=yes
enable_upnp=yes
min_lifetime=1
upnp_table_name=miniupnpd
upnp_nat_table_name=miniupnpd
upnp_forward_chain=forward
upnp_nat_chain=redirects
upnp_nat_postrouting_chain=masquerades
secure_mode=yes
ipv6_disable=yes
uuid=561e277e-ca7c-4e75-9bdc-2e56fbe04b79
`;
