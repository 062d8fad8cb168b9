/**
 * Kinds of NAT gateways as nftables rules, after FACTS.md. Every gateway has an interface `lan` and an interface `wan`.
 * Rules that choose ports are for UDP; TCP is always masqueraded, and so port-restricted, except behind the full cone.
 * `hairpin` is a full cone that leads packets from inside to its own address back inside; `trap` does not drop what it
 * did not expect. `tcp-blocked` lets no TCP connection in that begins outside, not even one that begins on both sides.
 * `mediator-only` lets nothing out but to the mediator.
 * `random-open` chooses at random for each destination, and then lets in whatever comes from the destination's address.
 */
export const GATEWAYS = [
  'full-cone',
  'hairpin',
  'address-restricted',
  'port-restricted',
  'remapping',
  'sequential',
  'random',
  'random-pool',
  'random-open',
  'udp-blocked',
  'tcp-blocked',
  'mediator-only',
  'trap',
] as const;
export type Gateway = (typeof GATEWAYS)[number];

export interface GatewayPorts {
  /** How many it gives out, where it chooses them itself. */
  pool: number;
  /** Between one and the next, where it counts. */
  step: number;
}

/** A script for nft. @param wan the gateway's address on the internet */
export function gatewayRules(kind: Gateway, wan: string, ports: GatewayPorts): string {
  const drop = kind === 'trap' ? '' : DROP_UNSOLICITED;
  return `${drop}\n${natRules(kind, wan, ports)}`;
}

const DROP_UNSOLICITED = `
table ip flt {
  chain input {
    type filter hook input priority 0;
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }
}`;

function natRules(kind: Gateway, wan: string, { pool, step }: GatewayPorts): string {
  switch (kind) {
    case 'port-restricted':
    case 'trap':
      return nat('oifname "wan" masquerade');
    case 'udp-blocked':
      return `${nat('oifname "wan" masquerade')}
table ip blocked {
  chain forward {
    type filter hook forward priority 10;
    meta l4proto udp drop
  }
}`;
    case 'tcp-blocked':
      return `${nat('oifname "wan" masquerade')}
table ip blocked {
  chain forward {
    type filter hook forward priority 10;
    iifname "wan" tcp flags & (syn | ack) == syn drop
  }
}`;
    case 'mediator-only':
      return `${nat('oifname "wan" masquerade')}
table ip blocked {
  chain forward {
    type filter hook forward priority 10;
    oifname "wan" ip daddr != 192.0.2.0/24 drop
  }
}`;
    case 'random':
      return nat('oifname "wan" masquerade fully-random');
    case 'random-pool':
      return nat(`oifname "wan" meta l4proto udp snat to ${wan} : numgen random mod ${pool} map ${ports(pool)}
oifname "wan" masquerade`);
    case 'random-open':
      // What was sent out is noted after it was given its port.
      return `table ip nat {
  map fc_udp { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; }
  set allowed { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 300s; }
  chain post {
    type nat hook postrouting priority srcnat;
    oifname "wan" masquerade fully-random
  }
  chain note {
    type filter hook postrouting priority 110;
    oifname "wan" meta l4proto udp update @fc_udp { udp sport timeout 300s : ct original ip saddr . ct original proto-src }
    oifname "wan" meta l4proto udp update @allowed { udp sport . ip daddr timeout 300s }
  }
  chain pre {
    type nat hook prerouting priority dstnat;
    iifname "wan" meta l4proto udp udp dport . ip saddr @allowed dnat to udp dport map @fc_udp
  }
}`;
    case 'sequential':
      return nat(`oifname "wan" meta l4proto udp snat to ${wan} : numgen inc mod ${pool} map ${ports(pool, step)}
oifname "wan" masquerade`);
    case 'remapping':
      return nat(`oifname "wan" meta l4proto udp snat to ${wan} : jhash ip saddr . udp sport mod ${pool} seed 0x7 map ${ports(pool)}
oifname "wan" masquerade`);
    case 'full-cone':
      return cone(
        wan,
        ['udp', 'tcp'].map(
          (protocol) => `iifname "wan" meta l4proto ${protocol} dnat to ${protocol} dport map @fc_${protocol}`,
        ),
      );
    case 'hairpin':
      return cone(
        wan,
        [
          'iifname "wan" meta l4proto udp dnat to udp dport map @fc_udp',
          `iifname "lan" ip daddr ${wan} meta l4proto udp dnat to udp dport map @fc_udp`,
        ],
        `oifname "lan" ct status dnat meta l4proto udp snat to ${wan}`,
      );
    case 'address-restricted':
      return cone(
        wan,
        ['iifname "wan" meta l4proto udp udp dport . ip saddr @allowed dnat to udp dport map @fc_udp'],
        'oifname "wan" meta l4proto udp update @allowed { udp sport . ip daddr timeout 300s }',
      );
  }
}

function cone(wan: string, inbound: string[], outbound = ''): string {
  const mapOf = (protocol: string) =>
    `map fc_${protocol} { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout 300s; }`;
  const mapping = (protocol: string) =>
    `oifname "wan" meta l4proto ${protocol} update @fc_${protocol} { ${protocol} sport timeout 300s : ip saddr . ${protocol} sport }`;
  return `table ip nat {
  ${mapOf('udp')}
  ${mapOf('tcp')}
  set allowed { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 300s; }
  chain post {
    type nat hook postrouting priority srcnat;
    ${mapping('udp')}
    ${mapping('tcp')}
    ${outbound}
    oifname "wan" snat to ${wan}
  }
  chain pre {
    type nat hook prerouting priority dstnat;
    ${inbound.join('\n')}
  }
}`;
}

function nat(rules: string): string {
  return `table ip nat { chain post { type nat hook postrouting priority srcnat;
${rules}
  }
}`;
}

/** From 40000 on. As a map, since nft computes with ports in the wrong byte order. */
function ports(count: number, step = 1): string {
  return `{ ${Array.from({ length: count }, (_, at) => `${at} : ${40000 + at * step}`).join(', ')} }`;
}
