import type { Argv } from 'yargs';
import { connectionArguments, TALK_OPTIONS, WHOM_OPTIONS } from './command-options.js';
import type { DoctorTarget } from './doctor-options.js';
import { type Declare, usageError } from './work.js';

interface DoctorWords {
  whom?: string[] | undefined;
  to?: string | undefined;
  host?: string | undefined;
  port?: string | undefined;
  keys?: string | undefined;
  peer?: string | undefined;
}

export const declareDoctorCommand: Declare = (parser, choose) =>
  parser.command('doctor [whom..]', 'find out what keeps two people from meeting', declareDoctor, (words) => {
    const target = targetOf(words);
    choose(async (environment) => {
      const { prepareDoctor } = await import('./doctor-options.js');
      const prepared = await prepareDoctor({ target, ...connectionArguments(words) }, environment);
      return (await import('./doctor.js')).doctor(prepared);
    });
  });

function declareDoctor(parser: Argv) {
  return parser
    .usage(
      '$0 doctor (<contact> | <host> <port> <keys> [peerkey] | --to CONTACT | --host H --port P --keys FILE [--peer FILE])',
    )
    .positional('whom', { type: 'string', array: true, describe: 'a contact; or the words that p2p itself takes' })
    .option('to', { type: 'string', requiresArg: true, describe: 'the contact to try the paths to' })
    .options(WHOM_OPTIONS)
    .options({
      ...TALK_OPTIONS,
      json: { type: 'boolean', describe: 'what is found on stdout, as JSON lines' },
      timeout: {
        ...TALK_OPTIONS.timeout,
        describe: 'seconds to wait for the other person; without it no limit on a terminal, and 20 elsewhere',
      },
    })
    .example('$0 doctor bob', 'look at everything, and with Bob, who does the same, try every path')
    .example('$0 doctor mediator.example 54700 mykeypair.pem', 'look at this side alone');
}

function targetOf({ whom = [], to, host, port, keys, peer }: DoctorWords): DoctorTarget {
  const named = [host, port, keys, peer].some((word) => word !== undefined);
  if ([whom.length > 0, to !== undefined, named].filter(Boolean).length > 1) {
    throw usageError('name whom to meet once: by words, by --to, or by --host, --port, --keys and --peer', 'doctor');
  }
  if (to !== undefined) return { contact: to };
  const [first, ...rest] = named ? [host, port, keys, peer] : whom;
  if (!named && first !== undefined && rest.length === 0) return { contact: first };
  const [itsPort, itsKeys, itsPeer, ...more] = rest;
  if (first !== undefined && itsPort !== undefined && itsKeys !== undefined && more.length === 0) {
    return { host: first, port: itsPort, keys: itsKeys, peer: itsPeer };
  }
  throw usageError('name a contact, or the mediator and your keys: <host> <port> <keys> [peerkey]', 'doctor');
}
