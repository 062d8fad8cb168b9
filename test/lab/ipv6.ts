import type { Lab } from './net.js';

/**
 * IPv6 besides IPv4 in a lab with one gateway a side: no translation, but gateways that let nobody in who was not
 * called.
 *
 *   a 2001:db8:a:1::2    gateway 2001:db8:a:1::1 | 2001:db8:a::2    r1 2001:db8:a::1
 *   b 2001:db8:b:1::2    gateway 2001:db8:b:1::1 | 2001:db8:b::2    r4 2001:db8:b::1
 *   m 2001:db8:c::2                                                r2 2001:db8:c::1
 */
export const MEDIATOR_IPV6 = '2001:db8:c::2';

const FIREWALL = `
table ip6 flt {
  chain forward {
    type filter hook forward priority 0;
    iifname "wan" ct state established,related accept
    iifname "wan" drop
  }
}
`;

export function addIPv6(lab: Lab): void {
  for (const where of ['a', 'b', 'm', 'ga1', 'gb1', 'r1', 'r2', 'r3', 'r4']) allow(lab, where);
  for (const [side, router, port] of [
    ['a', 'r1', 'left'],
    ['b', 'r4', 'right'],
  ] as const) {
    const wan = `2001:db8:${side}:`;
    ip(lab, router, `addr add ${wan}:1/64 dev ${port} nodad`);
    ip(lab, `g${side}1`, `addr add ${wan}:2/64 dev wan nodad`);
    ip(lab, `g${side}1`, `addr add ${wan}1::1/64 dev lan nodad`);
    ip(lab, side, `addr add ${wan}1::2/64 dev eth0 nodad`);
    ip(lab, side, `route add default via ${wan}1::1`);
    ip(lab, `g${side}1`, `route add default via ${wan}:1`);
    ip(lab, router, `route add ${wan}1::/64 via ${wan}:2`);
    lab.nft(`g${side}1`, FIREWALL);
  }
  ip(lab, 'r2', 'addr add 2001:db8:c::1/64 dev mediator nodad');
  ip(lab, 'm', `addr add ${MEDIATOR_IPV6}/64 dev wan nodad`);
  ip(lab, 'm', 'route add default via 2001:db8:c::1');
  for (const at of [0, 1, 2]) {
    ip(lab, `r${at + 1}`, `addr add 2001:db8:f:${at}::1/64 dev right nodad`);
    ip(lab, `r${at + 2}`, `addr add 2001:db8:f:${at}::2/64 dev left nodad`);
    ip(lab, `r${at + 1}`, `route add 2001:db8:b::/48 via 2001:db8:f:${at}::2`);
    ip(lab, `r${at + 2}`, `route add 2001:db8:a::/48 via 2001:db8:f:${at}::1`);
  }
  ip(lab, 'r1', 'route add 2001:db8:c::/64 via 2001:db8:f:0::2');
  ip(lab, 'r3', 'route add 2001:db8:c::/64 via 2001:db8:f:1::1');
  ip(lab, 'r4', 'route add 2001:db8:c::/64 via 2001:db8:f:2::1');
}

function allow(lab: Lab, where: string): void {
  lab.run(where, 'sysctl', ['-qw', 'net.ipv6.conf.all.disable_ipv6=0', 'net.ipv6.conf.all.forwarding=1']);
}

function ip(lab: Lab, where: string, command: string): void {
  lab.run(where, 'ip', ['-6', ...command.split(' ')]);
}
