import type { Argv } from 'yargs';
import { HOME_OPTION, PASSPHRASE_FILE_OPTION, WHOM_OPTIONS } from './command-options.js';
import { parseHost, parsePort } from './values.js';
import { type Declare, usageError } from './work.js';

const NAME = { type: 'string', demandOption: true, describe: 'the name of the contact' } as const;

/** contact and its own commands. */
export const declareContactCommands: Declare = (parser, choose) => {
  const contacts = () => import('./contact.js');

  return parser.command('contact', 'save, list, show, verify, remove and block the people you talk to', (group) =>
    group
      .usage('$0 contact <command>')
      .demandCommand(1, 'name what to do: add, list, show, follow, verify, remove, block or unblock')
      .command('add <name>', 'save someone under a name', declareAdd, (words) => {
        const { name, keys, peer, home, passphraseFile } = words;
        const host = parseHost(words.host);
        const port = parsePort(words.port);
        choose(async (environment) =>
          (await contacts()).addContact({ name, host, port, keys, peer, home, passphraseFile }, environment),
        );
      })
      .command('list', 'list all contacts', declareList, ({ home, json = false }) =>
        choose(async (environment) => (await contacts()).listContacts({ home, json }, environment)),
      )
      .command(
        'show <name>',
        'show one contact, and the words of its key',
        declareShow,
        ({ name, home, json = false }) =>
          choose(async (environment) => (await contacts()).showContact({ name, home, json }, environment)),
      )
      .command('remove <name>', 'forget a contact', declareRemove, ({ name, home }) =>
        choose(async (environment) => (await contacts()).removeContact({ name, home }, environment)),
      )
      .command(
        'follow <name> [file]',
        'know a contact by a new key from now on',
        declareFollow,
        ({ name, file, home, passphraseFile }) =>
          choose(async (environment) => {
            const { followContact } = await import('./follow.js');
            return followContact({ name, file, home, passphraseFile }, environment);
          }),
      )
      .command(
        'verify <name>',
        'compare the words of both keys, and remember it',
        declareVerify,
        ({ name, home, yes = false, undo = false }) => {
          if (yes && undo) throw usageError('only one of --yes and --undo can be given', 'contact verify');
          choose(async (environment) => (await contacts()).verifyContact({ name, home, yes, undo }, environment));
        },
      )
      .command('block <name>', 'have no more to do with a contact, from now on', declareBlock, ({ name, home }) =>
        choose(async (environment) => (await contacts()).blockContact({ name, home, blocked: true }, environment)),
      )
      .command('unblock <name>', 'talk to a contact again', declareUnblock, ({ name, home }) =>
        choose(async (environment) => (await contacts()).blockContact({ name, home, blocked: false }, environment)),
      ),
  );
};

function declareAdd(parser: Argv) {
  return parser
    .usage('$0 contact add <name> --host H --port P --keys FILE --peer FILE')
    .positional('name', NAME)
    .options(WHOM_OPTIONS)
    .demandOption(['host', 'port', 'keys', 'peer'])
    .options({ home: HOME_OPTION, 'passphrase-file': PASSPHRASE_FILE_OPTION })
    .example('$0 contact add bob --host mediator.example --port 54700 --keys mykeypair.pem --peer bob.pem', '');
}

function declareList(parser: Argv) {
  return parser
    .usage('$0 contact list [--json]')
    .option('json', { type: 'boolean', describe: 'print a JSON array' })
    .option('home', HOME_OPTION);
}

function declareShow(parser: Argv) {
  return parser
    .usage('$0 contact show <name> [--json]')
    .positional('name', NAME)
    .option('json', { type: 'boolean', describe: 'print a JSON object' })
    .option('home', HOME_OPTION);
}

function declareRemove(parser: Argv) {
  return parser.usage('$0 contact remove <name>').positional('name', NAME).option('home', HOME_OPTION);
}

function declareFollow(parser: Argv) {
  return parser
    .usage('$0 contact follow <name> [file]')
    .positional('name', NAME)
    .positional('file', {
      type: 'string',
      describe: 'the new public.pem, if it came by another way than in a session',
    })
    .options({ home: HOME_OPTION, 'passphrase-file': PASSPHRASE_FILE_OPTION });
}

function declareVerify(parser: Argv) {
  return parser
    .usage('$0 contact verify <name> [--yes | --undo]')
    .positional('name', NAME)
    .option('yes', { type: 'boolean', describe: 'you have compared the words already; do not ask' })
    .option('undo', { type: 'boolean', describe: 'the key does not count as verified any more' })
    .option('home', HOME_OPTION);
}

function declareBlock(parser: Argv) {
  return parser
    .usage('$0 contact block <name>')
    .positional('name', { ...NAME, describe: 'the name of the contact, or its peer id as in contact list' })
    .option('home', HOME_OPTION);
}

function declareUnblock(parser: Argv) {
  return declareBlock(parser).usage('$0 contact unblock <name>');
}
