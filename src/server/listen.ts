import type { AddressInfo, Server } from 'node:net';
import { MEDIATOR_PORT } from '../protocol/constants.js';
import { ExitCode, errorCode, UserError } from '../protocol/errors.js';
import type { Endpoint } from '../protocol/messages.js';
import { describeSystemError } from '../shared/system-error.js';

const EVERY_IPV6 = '::';
const EVERY_IPV4 = '0.0.0.0';
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']);
const BACKLOG = 1024;

/** Binds the server; `::` serves IPv4 too, and is IPv4 alone where there is no IPv6. Throws UserError. */
export async function listenOn(server: Server, { address, port }: Endpoint): Promise<Endpoint> {
  try {
    return await listen(server, address, port);
  } catch (error) {
    if (address !== EVERY_IPV6 || !NO_IPV6.has(errorCode(error) ?? '')) throw explain(error, address, port);
  }
  try {
    return await listen(server, EVERY_IPV4, port);
  } catch (error) {
    throw explain(error, EVERY_IPV4, port);
  }
}

function listen(server: Server, host: string, port: number): Promise<Endpoint> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG, ipv6Only: false }, () => {
      server.off('error', reject);
      const bound = server.address() as AddressInfo;
      resolve({ address: bound.address, port: bound.port });
    });
  });
}

function explain(error: unknown, host: string, port: number): UserError {
  const [what, hint] = describe(errorCode(error), host, port) ?? [
    `cannot listen on ${host} port ${port}: ${describeSystemError(error)}`,
    'Try another address or port: --host ADDRESS --port PORT',
  ];
  return new UserError(ExitCode.usage, what, hint, { cause: error });
}

function describe(code: string | undefined, host: string, port: number): [string, string] | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return [
        `port ${port} is already in use on ${host}`,
        'Perhaps a mediator runs already. Stop what uses the port, or choose another: --port PORT',
      ];
    case 'EACCES':
      return [
        `this user may not listen on port ${port}`,
        `Choose a port above 1023, such as ${MEDIATOR_PORT}: --port ${MEDIATOR_PORT}`,
      ];
    case 'EADDRNOTAVAIL':
      return [
        `${host} is not an address of this machine`,
        'Leave out --host to listen on every address, or name one of its own.',
      ];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return [`the host ${host} does not resolve`, 'Name an address of this machine, or leave out --host.'];
    default:
      return undefined;
  }
}
