import type { Target } from '../target.js';
import { FILE_TARGETS } from './files.js';
import { JOURNAL_TARGETS } from './journal.js';
import { KEY_TARGETS } from './keys.js';
import { SESSION_TARGETS } from './session.js';
import { TYPED_TARGETS } from './typed.js';
import { UDP_TARGETS } from './udp.js';
import { WIRE_TARGETS } from './wire.js';

/** The slow ones first: inputs that they leave over go to those after them. */
export const TARGETS: readonly Target[] = [
  ...SESSION_TARGETS,
  ...JOURNAL_TARGETS,
  ...KEY_TARGETS,
  ...TYPED_TARGETS,
  ...FILE_TARGETS,
  ...UDP_TARGETS,
  ...WIRE_TARGETS,
];
