import type { Argv } from 'yargs';
import { type ConnectionWords, connectionArguments, TALK_OPTIONS, WHOM_OPTIONS } from './command-options.js';
import type { Purpose, TalkArguments } from './talk-options.js';
import { type Declare, usageError, type Work } from './work.js';

interface TalkWords extends ConnectionWords {
  plain?: boolean | undefined;
}

interface WhomWords {
  host?: string | undefined;
  port?: string | undefined;
  keys?: string | undefined;
  peer?: string | undefined;
}

interface Positionals {
  target?: string | undefined;
  port?: string | undefined;
  keys?: string | undefined;
  peerkey?: string | undefined;
}

type Choose = (work: Work) => void;

/** The commands that open a session: the bare `p2p`, send and receive. */
export const declareTalkCommands: Declare = (parser, choose) =>
  parser
    .command('$0 [target] [port] [keys] [peerkey]', false, declareChat, (words) =>
      talk(choose, words, { target: targetOfPositionals(words), purpose: { kind: 'chat' } }),
    )
    .command('send <files..>', 'send files and folders, and end when all have arrived', declareSend, (words) =>
      talk(choose, words, {
        target: targetOf('send', 'to', words.to, words),
        purpose: { kind: 'send', files: words.files },
      }),
    )
    .command('pipe', 'carry stdin to the other side, and its stdin to here', declarePipe, (words) =>
      talk(choose, words, { target: targetOf('pipe', 'to', words.to ?? words.from, words), purpose: { kind: 'pipe' } }),
    )
    .command('receive', 'receive files into a folder', declareReceive, (words) => {
      if (words.into === '') throw usageError('--into has no value', 'receive');
      const { into, yes = false, once = false } = words;
      talk(choose, words, {
        target: targetOf('receive', 'from', words.from, words),
        purpose: { kind: 'receive', into, yes, once },
      });
    });

function declareChat(parser: Argv) {
  return parser
    .positional('target', { type: 'string', describe: 'the name of a contact; or the host of the mediator' })
    .positional('port', { type: 'string', describe: 'the port of the mediator' })
    .positional('keys', { type: 'string', describe: 'your key pair, as keygen makes it' })
    .positional('peerkey', { type: 'string', describe: "the other person's public key" })
    .options(TALK_OPTIONS)
    .option('plain', { type: 'boolean', describe: 'lines of text instead of the full screen' })
    .example('$0 keygen ~/.keys', 'make your key pair')
    .example('$0 mediator.example 54700 ~/.keys/mykeypair.pem bob.pem', 'talk to Bob')
    .example('$0 contact add bob ...', 'save all that under a name')
    .example('$0 bob', 'talk to Bob')
    .example('$0 send holiday/ notes.txt --to bob', 'send him files and folders');
}

function declareSend(parser: Argv) {
  return parser
    .usage('$0 send <files..> (--to CONTACT | --host H --port P --keys FILE --peer FILE)')
    .positional('files', { type: 'string', array: true, demandOption: true, describe: 'files and folders' })
    .option('to', { type: 'string', requiresArg: true, describe: 'the contact to send to' })
    .options(WHOM_OPTIONS)
    .options(TALK_OPTIONS)
    .example('$0 send holiday/ notes.txt --to bob', '')
    .example('$0 send a.iso --host mediator.example --port 54700 --keys mykeypair.pem --peer bob.pem', '');
}

function declarePipe(parser: Argv) {
  return parser
    .usage('$0 pipe (--to CONTACT | --from CONTACT | --host H --port P --keys FILE --peer FILE)')
    .option('to', { type: 'string', requiresArg: true, describe: 'the contact at the other end' })
    .option('from', { type: 'string', requiresArg: true, conflicts: 'to', describe: 'the same' })
    .options(WHOM_OPTIONS)
    .options(TALK_OPTIONS)
    .example('tar c . | $0 pipe --to bob', 'here')
    .example('$0 pipe --from alice | tar x', 'and there');
}

function declareReceive(parser: Argv) {
  return parser
    .usage('$0 receive --into DIR [--yes] [--once] (--from CONTACT | --host H --port P --keys FILE --peer FILE)')
    .option('into', { type: 'string', requiresArg: true, demandOption: true, describe: 'folder; made if missing' })
    .option('yes', { type: 'boolean', describe: 'accept every offer; else you are asked, on a terminal' })
    .option('once', { type: 'boolean', describe: 'end after one transfer' })
    .option('from', { type: 'string', requiresArg: true, describe: 'the contact to receive from' })
    .options(WHOM_OPTIONS)
    .options(TALK_OPTIONS)
    .example('$0 receive --into Downloads --from alice', 'ask before each transfer')
    .example('$0 receive --into backup --from alice --yes --once', 'in a script');
}

function talk(choose: Choose, words: TalkWords, what: { target: TalkArguments['target']; purpose: Purpose }): void {
  choose(async (environment) => {
    const { prepareTalk } = await import('./talk-options.js');
    const { plain = false } = words;
    const options = await prepareTalk({ ...what, plain, ...connectionArguments(words) }, environment);
    return (await import('./talk.js')).talk(options);
  });
}

function targetOfPositionals({ target, port, keys, peerkey }: Positionals): TalkArguments['target'] {
  if (target === undefined) throw usageError('whom to talk to?');
  if (port === undefined) return { contact: target };
  if (keys !== undefined && peerkey !== undefined) return { host: target, port, keys, peer: peerkey };
  throw usageError('name one contact, or all four of: <host> <port> <keys> <peerkey>');
}

/** @param option 'to' or 'from', whose value names a contact */
function targetOf(
  command: string,
  option: string,
  contact: string | undefined,
  words: WhomWords,
): TalkArguments['target'] {
  const { host, port, keys, peer } = words;
  const explicit = [host, port, keys, peer].filter((word) => word !== undefined).length;
  if (contact !== undefined) {
    if (explicit > 0) throw usageError(`--${option} names a contact, who has a host, port and keys already`, command);
    return { contact };
  }
  if (host !== undefined && port !== undefined && keys !== undefined && peer !== undefined) {
    return { host, port, keys, peer };
  }
  throw usageError(`name --${option} CONTACT, or all four of --host, --port, --keys and --peer`, command);
}
