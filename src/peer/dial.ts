import net from 'node:net';

/** Connects by TCP. Rejects with the system's error, the signal's reason, or 'no answer' after `timeoutMs`; leaves no socket behind. */
export function dial(options: net.TcpNetConnectOpts, timeoutMs: number, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const socket = net.connect({ ...options, noDelay: true });
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('error', fail).off('connect', succeed);
    };
    const fail = (error: Error) => {
      settle();
      socket.on('error', () => {}).destroy();
      reject(error);
    };
    const succeed = () => {
      settle();
      resolve(socket);
    };
    const onAbort = () => fail(signal.reason);
    const timer = setTimeout(() => fail(new Error('no answer')), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', fail).on('connect', succeed);
  });
}
