import os from 'node:os';

const LOOK_EVERY_MS = 1_000;

/** Notices when this machine's addresses change. Node has no event for it, so it looks. */
export class NetworkWatch {
  readonly #onChange: () => void;
  #timer: NodeJS.Timeout | undefined;
  #last = '';

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  start(): void {
    this.#last = ownAddresses();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = ownAddresses();
    if (now === this.#last) return;
    this.#last = now;
    this.#onChange();
  }
}

function ownAddresses(): string {
  const interfaces = Object.entries(os.networkInterfaces());
  return interfaces
    .flatMap(([name, addresses]) => (addresses ?? []).map(({ cidr }) => `${name} ${cidr}`))
    .sort()
    .join('\n');
}
